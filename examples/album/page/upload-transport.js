// Sends the requests of an S3 client with XMLHttpRequest, because fetch does not tell how much of
// a body has been sent.

const watchers = new WeakMap(); // by the body

// watchUpload calls a function with the sent share of a body, from 0 to 1.
export function watchUpload(body, progress) {
  watchers.set(body, progress);
}

// NoAnswer says that the connection failed.
class NoAnswer extends Error {
  name = "NoAnswer";
}

// uploadTransport is a request handler of the AWS SDK for JavaScript.
export const uploadTransport = {
  handle: (request, { abortSignal } = {}) => new Promise((resolve, reject) => {
    // A signal that has been aborted before sends no event.
    if (abortSignal?.aborted) {
      reject(cancelled());
      return;
    }
    const xhr = new XMLHttpRequest();
    xhr.open(request.method, addressOf(request));
    xhr.responseType = "arraybuffer";
    for (const [name, value] of Object.entries(request.headers)) {
      if (!setByBrowser.has(name.toLowerCase())) xhr.setRequestHeader(name, value);
    }
    xhr.upload.onprogress = ({ loaded, total }) => watchers.get(request.body)?.(loaded / total);
    xhr.onload = () => resolve({ response: responseOf(xhr) });
    xhr.onerror = () => reject(new NoAnswer("no answer"));
    xhr.onabort = () => reject(cancelled());
    abortSignal?.addEventListener("abort", () => xhr.abort(), { once: true });
    xhr.send(request.body);
  }),
  updateHttpClientConfig() {},
  httpHandlerConfigs: () => ({}),
  destroy() {},
};

const cancelled = () => new DOMException("The upload was cancelled.", "AbortError");

const setByBrowser = new Set(["content-length", "host", "user-agent"]);

function addressOf({ protocol, hostname, port, path, query = {} }) {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    [value].flat().map((one) => `${encodeURIComponent(name)}=${encodeURIComponent(one ?? "")}`));
  const search = pairs.length > 0 ? `?${pairs.join("&")}` : "";
  return `${protocol}//${hostname}${port ? `:${port}` : ""}${path}${search}`;
}

function responseOf(xhr) {
  const lines = xhr.getAllResponseHeaders().trim().split("\r\n").filter(Boolean);
  const headers = Object.fromEntries(lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  }));
  return { statusCode: xhr.status, headers, body: new Uint8Array(xhr.response) };
}
