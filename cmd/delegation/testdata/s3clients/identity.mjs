// Who the SDK for JavaScript is, by its default chain, in each of the environments of standard
// input: one JSON object a line. Each line is answered on a line.
import { createInterface } from "node:readline";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";

for await (const line of createInterface({ input: process.stdin })) {
  Object.assign(process.env, JSON.parse(line));
  try {
    const client = new STSClient({}); // a new one, because each keeps its credentials
    console.log((await client.send(new GetCallerIdentityCommand({}))).Arn);
  } catch (error) {
    console.log(`${error.name}: ${error.message}`);
  }
}
