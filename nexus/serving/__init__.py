"""How gunicorn serves: clients are read and answered without a thread waiting for them."""
