/** Options of {@link fromDelegation}. */
export interface DelegationOptions {
  /**
   * Address of the service, such as `https://delegation.example.com`. `/credentials` is appended.
   * Plain http is for loopback addresses only.
   */
  service: string | URL;
  /** Name of the target. Omitted: the service's default. */
  target?: string;
  /**
   * Returns an ID token that has not expired. It is called once for each request to the service.
   * If it fails, the error has the code `no_id_token`, and the failure is its `cause`.
   */
  idToken: () => string | Promise<string>;
  /** ARN of the role to ask for, if the service lets callers choose one. */
  role?: string;
  /** Further parameters for rules. The service must list their names. */
  parameters?: Record<string, string>;
  /** Milliseconds to wait for the service, by default 10000. `idToken` may take any time. */
  timeout?: number;
  /** Ends a running request. Later calls are rejected with its reason, too. */
  signal?: AbortSignal;
  /** Used instead of the global `fetch`. */
  fetch?: (url: URL, request: RequestInit) => Promise<Response>;
}

/** Temporary AWS credentials, in the form that the AWS SDK for JavaScript expects. */
export interface DelegationCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
  expiration: Date;
  /** AWS account of the role, if the service reports it. */
  accountId?: string;
}

/** A credential provider for clients of the AWS SDK for JavaScript v3. */
export interface DelegationProvider {
  /**
   * Returns credentials. They are fetched by the first call, and renewed by the first call in the
   * last five minutes before they expire. Calls at the same time share one request. If the new
   * credentials also expire within five minutes, they are renewed once in ten seconds.
   *
   * If the service is unavailable during a renewal, the credentials are returned until they
   * expire, and the service is asked once in ten seconds, or after its `Retry-After`. If the
   * service refuses, the call is rejected and the credentials are not used any more.
   *
   * `forceRefresh` asks the service at once. If the service has credentials in its cache, it
   * usually returns the same ones.
   *
   * @throws {DelegationError}
   */
  (options?: { forceRefresh?: boolean }): Promise<DelegationCredentials>;
  /**
   * Drops the credentials; call it when the user signs out. A running request ends with the code
   * `forgotten`. The next call asks for a new ID token. AWS accepts the dropped credentials until
   * they expire.
   */
  forget(): void;
  /** Tells clients of the AWS SDK to keep no copy. */
  memoized: boolean;
}

/** Fields of a {@link DelegationError}. */
export interface DelegationErrorDetails {
  code: string;
  status?: number;
  retryAfter?: number;
  requestId?: string;
  cause?: unknown;
}

/** The error of a provider. It never holds the ID token or credentials. */
export class DelegationError extends Error {
  constructor(message: string, details: DelegationErrorDetails);
  /**
   * Code of the service's refusal, such as `unauthorized`; or one of the module: `no_id_token`,
   * `network_error`, `timeout`, `invalid_answer`, `forgotten`.
   */
  code: string;
  /** HTTP status. Undefined if the service has not answered. */
  status?: number;
  /** Seconds to wait before the next attempt, if the service named them. */
  retryAfter?: number;
  /** ID of the request in the service's log and events. */
  requestId?: string;
}

/**
 * Returns a credential provider that gets its credentials from a service of delegation.
 *
 * @throws {TypeError} if an option is missing or wrong
 */
export function fromDelegation(options: DelegationOptions): DelegationProvider;
