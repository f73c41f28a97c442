// The AWS credentials of the signed-in user: fetched, counted down and renewed.

import { fromDelegation } from "./vendor/aws.js";
import { isOutage } from "./words.js";

const longestWindow = 5 * 60_000; // milliseconds before the expiration in which it renews
const pause = 10_000; // milliseconds between two attempts

// createSession makes a session that tells changed about its credentials, once a second.
export function createSession({ settings, idToken, changed }) {
  const provider = fromDelegation({
    service: settings.service,
    target: settings.target,
    idToken,
  });
  let current; // { accessKeyId, expiration, since, sets, outcome }
  let timer;
  let renewing = false;
  let nextAttempt = 0;

  // open gets the first credentials.
  async function open() {
    note(await provider({ forceRefresh: true }));
    timer ??= setInterval(tick, 1000);
    await tick();
  }

  // renew asks for other credentials. If the service or the provider is down, the old ones stay. A
  // refusal ends the session.
  async function renew() {
    renewing = true;
    nextAttempt = Date.now() + pause;
    try {
      note(await provider({ forceRefresh: true }));
    } catch (error) {
      if (!current || current.expiration <= Date.now() || !isOutage(error)) {
        stop();
        throw error;
      }
      current.outcome = "failed";
    } finally {
      renewing = false;
    }
  }

  function note({ expiration, accessKeyId }) {
    if (current?.accessKeyId === accessKeyId) {
      current.outcome = "same";
      return;
    }
    const sets = (current?.sets ?? 0) + 1;
    current = { expiration, accessKeyId, since: new Date(), sets, outcome: "new" };
  }

  // window is a fifth of a short session: the service keeps credentials in its cache until then.
  const window = () => Math.min(longestWindow, (current.expiration - current.since) / 5);

  async function tick() {
    if (!current) return;
    const left = current.expiration - Date.now();
    changed({ ...current, left, renewalIn: left - window() });
    if (left > window() || renewing || Date.now() < nextAttempt) return;
    try {
      await renew();
    } catch (error) {
      changed({ error });
    }
  }

  function stop() {
    clearInterval(timer);
    timer = undefined;
    current = undefined;
    nextAttempt = 0;
  }

  // close forgets the credentials.
  function close() {
    stop();
    provider.forget();
  }

  // outcome of the last attempt: new, same or failed.
  const outcome = () => current?.outcome;

  return { open, renew, close, outcome, credentials: provider };
}
