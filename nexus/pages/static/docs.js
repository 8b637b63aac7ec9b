// The calls of the API, to be tried out, and the sign-in that they are tried with.
"use strict";

const calls = document.querySelector("#calls");
const signIn = document.querySelector("#sign-in");
const signOut = document.querySelector("#sign-out");
const failure = document.querySelector("#failure");
const loaded = new Promise((done) => document.addEventListener("DOMContentLoaded", done));
const dark = matchMedia("(prefers-color-scheme: dark)");
let ui;

async function describe() {
  const answer = await fetch("/api/openapi.json");
  const description = await answer.json();
  const { parameters, securitySchemes } = description.components;
  // Swagger UI sends examples unless they are removed, and two orders under one key would be one.
  for (const parameter of Object.values(parameters)) delete parameter.example;
  // There is this server only, no page can write its cookie, and what comes last gets the focus.
  const { bearer, cookie, ...others } = securitySchemes;
  description.components.securitySchemes = { ...others, bearer };
  delete description.servers;
  // Swagger UI is a large script, which the rest of the page does not wait for.
  await loaded;
  // Its own words and the description's are English, whatever the page's are.
  calls.lang = "en";
  ui = SwaggerUIBundle({
    spec: description,
    domNode: calls,
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    validatorUrl: null,
  });
}

function post(path, body) {
  return fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "Accept-Language": document.documentElement.lang },
    body: JSON.stringify(body),
  });
}

function onSubmit(form, action) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    failure.textContent = "";
    try {
      await action();
    } catch {
      failure.textContent = failure.dataset.failed;
    }
  });
  form.querySelector("button").disabled = false;
}

function show(form) {
  signIn.hidden = form !== signIn;
  signOut.hidden = form !== signOut;
  form.querySelector("input, button").focus();
}

onSubmit(signIn, async () => {
  const answer = await post("/api/auth/login", Object.fromEntries(new FormData(signIn)));
  const body = await answer.json();
  if (!answer.ok) {
    failure.textContent = body.error;
    return;
  }
  // Before Swagger UI is there, calls are tried with the cookie alone.
  ui?.preauthorizeApiKey("bearer", body.token);
  signIn.reset();
  signOut.querySelector("strong").textContent = body.user.email;
  show(signOut);
});

onSubmit(signOut, async () => {
  await post("/api/auth/logout", {});
  ui?.authActions.logout(["bearer"]);
  show(signIn);
});

const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

describe().catch(() => {
  calls.textContent = calls.dataset.failed;
});
