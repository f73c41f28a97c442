// What the page uses of AWS's SDK for JavaScript, and this project's credential provider.
export {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
export { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
export { DelegationError, fromDelegation } from "../../../js/index.js";
