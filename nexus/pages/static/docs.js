// The calls of the API, to try out, and the sign-in for that.
"use strict";

const calls = document.querySelector("#calls");
const signIn = document.querySelector("#sign-in");
const signOut = document.querySelector("#sign-out");
const failure = document.querySelector("#failure");
const loaded = new Promise((done) => document.addEventListener("DOMContentLoaded", done));
const dark = matchMedia("(prefers-color-scheme: dark)");
let ui;

async function describe() {
  const loading = Object.assign(document.createElement("p"), { className: "quiet" });
  loading.textContent = calls.dataset.loading;
  calls.append(loading);
  const answer = await fetch("/api/openapi.json");
  const description = await answer.json();
  const { parameters, securitySchemes } = description.components;
  // Swagger UI sends examples unless they are removed, and two orders under one key would be one.
  for (const parameter of Object.values(parameters)) delete parameter.example;
  // There is only this server, scripts cannot set its cookie, metrics are not for people, and what comes last
  // gets the focus.
  const { bearer, cookie, metricsKey, ...others } = securitySchemes;
  description.components.securitySchemes = { ...others, bearer };
  delete description.servers;
  // Swagger UI is a large script, which the rest of the page does not wait for.
  await loaded;
  // Its own texts and those of the description are in English, whatever the language of the page.
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
}

function greet(user) {
  signOut.querySelector("strong").textContent = user.email;
  show(signOut);
}

// Scripts cannot read the cookie, so a note beside it says whether to ask who is signed in.
async function recognise() {
  if (!localStorage.getItem("signed-in")) return;
  const answer = await fetch("/api/auth/me");
  if (answer.ok) greet((await answer.json()).user);
  else localStorage.removeItem("signed-in");
}

onSubmit(signIn, async () => {
  const answer = await post("/api/auth/login", Object.fromEntries(new FormData(signIn)));
  const body = await answer.json();
  if (!answer.ok) {
    failure.textContent = body.error;
    return;
  }
  // Until Swagger UI is loaded, calls are sent with the cookie alone.
  ui?.preauthorizeApiKey("bearer", body.token);
  signIn.reset();
  localStorage.setItem("signed-in", "yes");
  greet(body.user);
  signOut.querySelector("button").focus();
});

onSubmit(signOut, async () => {
  await post("/api/auth/logout", {});
  // Someone who returns to the page only has the cookie.
  if (ui?.authSelectors.authorized()?.get("bearer")) ui.authActions.logout(["bearer"]);
  localStorage.removeItem("signed-in");
  show(signIn);
  signIn.querySelector("input").focus();
});

const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

recognise().catch(() => {});
describe().catch(() => {
  calls.textContent = calls.dataset.failed;
});
