// How programs use the module. tsc checks it against the packed module and the AWS SDK.
import { S3Client } from "@aws-sdk/client-s3";
import {
  DelegationError,
  fromDelegation,
  type DelegationCredentials,
  type DelegationOptions,
  type DelegationProvider,
} from "delegation-credentials";

const options: DelegationOptions = {
  service: new URL("https://delegation.example.com"),
  target: "photo-app",
  idToken: async () => "token",
  role: "arn:aws:iam::123456789012:role/photos",
  parameters: { album: "cats" },
  timeout: 5000,
  signal: AbortSignal.abort(),
  fetch,
};

const credentials: DelegationProvider = fromDelegation(options);
new S3Client({ region: "eu-central-1", credentials });
fromDelegation({ service: "https://delegation.example.com", idToken: () => "token" }).forget();

export async function renewed(): Promise<DelegationCredentials> {
  try {
    const { expiration, accountId } = await credentials({ forceRefresh: true });
    const left: number = expiration.getTime();
    const account: string | undefined = accountId;
    console.log(left, account);
    return await credentials();
  } catch (error) {
    if (!(error instanceof DelegationError)) throw error;
    const code: string = error.code;
    const status: number | undefined = error.status;
    const retryAfter: number | undefined = error.retryAfter;
    const requestId: string | undefined = error.requestId;
    throw new Error(`${code} ${status} ${retryAfter} ${requestId}`, { cause: error.cause });
  }
}

// @ts-expect-error: the service is required
fromDelegation({ idToken: () => "token" });
// @ts-expect-error: idToken is a function, because tokens expire
fromDelegation({ service: "https://delegation.example.com", idToken: "token" });
// @ts-expect-error: parameters are texts
fromDelegation({ ...options, parameters: { album: 7 } });
// @ts-expect-error: there is no such option
fromDelegation({ ...options, sessionName: "alice" });
