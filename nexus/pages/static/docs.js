// The calls of the API, to be tried out, and the sign-in that they are tried with.
"use strict";

const calls = document.querySelector("#calls");
const signIn = document.querySelector("#sign-in");
const signOut = document.querySelector("#sign-out");
const failure = signIn.querySelector("[role=alert]");
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

function follow(preference) {
  document.documentElement.classList.toggle("dark-mode", preference.matches);
}

function post(path, body) {
  return fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "Accept-Language": document.documentElement.lang },
    body: JSON.stringify(body),
  });
}

signIn.addEventListener("submit", async (event) => {
  event.preventDefault();
  failure.textContent = "";
  try {
    const answer = await post("/api/auth/login", Object.fromEntries(new FormData(signIn)));
    const body = await answer.json();
    if (!answer.ok) {
      failure.textContent = body.error;
      return;
    }
    ui.preauthorizeApiKey("bearer", body.token);
    signIn.reset();
    signOut.querySelector("strong").textContent = body.user.email;
    toggle(signOut);
  } catch {
    failure.textContent = failure.dataset.failed;
  }
});

signOut.addEventListener("submit", async (event) => {
  event.preventDefault();
  await post("/api/auth/logout", {});
  ui.authActions.logout(["bearer"]);
  toggle(signIn);
});

function toggle(shown) {
  signIn.hidden = shown !== signIn;
  signOut.hidden = shown !== signOut;
  shown.querySelector("input, button").focus();
}

const dark = matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", follow);
follow(dark);
describe().catch(() => {
  calls.textContent = calls.dataset.failed;
});
