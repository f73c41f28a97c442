// How the page words names, times, sizes and errors.

import { DelegationError } from "./vendor/aws.js";
import { ProviderDown, SignInEnded } from "./sign-in.js";

export const capital = (name) => name.charAt(0).toUpperCase() + name.slice(1);
export const afterSlash = (arn) => arn.slice(arn.indexOf("/") + 1);

export function size(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  if (bytes < 1e6) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

// took words the milliseconds of a step.
export function took(milliseconds) {
  if (milliseconds < 1) return `${Math.max(1, Math.round(milliseconds * 1000))} µs`;
  return `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`;
}

export function clock(time) {
  return new Date(time).toLocaleTimeString("en-GB");
}

export function day(time) {
  return new Date(time).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

// lasting words the seconds of a session.
export function lasting(seconds) {
  if (seconds % 3600 === 0) return count(seconds / 3600, "hour");
  return count(Math.round(seconds / 60), "minute");
}

// digits words milliseconds as a countdown does.
export function digits(milliseconds) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  const two = (number) => String(number).padStart(2, "0");
  const minutes = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return seconds < 3600 ? minutes : `${Math.floor(seconds / 3600)}:${minutes}`;
}

export function count(number, thing) {
  return `${number} ${thing}${number === 1 ? "" : "s"}`;
}

// Kinds of trouble, each with an advice of its own.
export const denied = "denied";
export const ended = "ended";
export const serviceDown = "service down";
export const providerDown = "provider down";
export const storageDown = "storage down";
export const refusedByAWS = "refused by AWS";
export const broken = "broken";

// troubleOf returns the kind of an error, what was said, and who said it.
export function troubleOf(error) {
  if (error instanceof DelegationError && error.cause) {
    return causeOf(error);
  }
  if (error instanceof DelegationError) {
    return ofService(error);
  }
  if (error instanceof ProviderDown) {
    return { kind: providerDown, said: "", by: "" };
  }
  if (error instanceof SignInEnded) {
    return { kind: ended, said: error.message, by: "The OpenID provider" };
  }
  const status = error?.$metadata?.httpStatusCode;
  if (status !== undefined) {
    const by = `AWS, ${error.name}, HTTP ${status}`;
    return { kind: refusedByAWS, said: error.message, by, code: error.name };
  }
  if (isNetwork(error)) {
    return { kind: storageDown, said: "", by: "" };
  }
  return { kind: broken, said: String(error?.message ?? error), by: "The browser" };
}

// isOutage tells whether the same may succeed later.
export function isOutage(error) {
  return [serviceDown, providerDown].includes(troubleOf(error).kind);
}

// causeOf looks at what the credential provider has wrapped.
function causeOf({ cause, code }) {
  if (cause instanceof SignInEnded || cause instanceof ProviderDown) return troubleOf(cause);
  if (code === "network_error") return { kind: serviceDown, said: "", by: "" };
  return { kind: broken, said: String(cause?.message ?? cause), by: "The browser" };
}

function ofService({ code, message, status }) {
  if (status === undefined) return { kind: serviceDown, said: message, by: "The browser" };
  const by = `The service, ${code}, HTTP ${status}`;
  if (status === 429 || status >= 500 || code === "invalid_answer") {
    return { kind: serviceDown, said: message, by };
  }
  if (code === "invalid_grant") return { kind: ended, said: message, by };
  return { kind: denied, said: message, by };
}

// isNetwork tells whether a browser's fetch got no answer.
function isNetwork(error) {
  return error instanceof TypeError || error?.name === "TimeoutError" ||
    error?.name === "NoAnswer";
}
