// One operation of the AWS SDK for JavaScript on a folder: node transfer.mjs OPERATION FOLDER.
import { createReadStream, writeFileSync } from "node:fs";
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  S3Client,
  paginateListObjectsV2,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";

const [, , operation, folder] = process.argv;
const Bucket = "photos";
const client = new S3Client({ forcePathStyle: true, maxAttempts: 1 });

const upload = (file, name) =>
  new Upload({
    client,
    params: { Bucket, Key: `${folder}/${name}`, Body: createReadStream(file) },
  }).done();

const operations = {
  "upload-small": () => upload("small.txt", "new.txt"),
  "upload-large": () => upload("large.bin", "new.bin"),
  async download() {
    const got = await client.send(new GetObjectCommand({ Bucket, Key: `${folder}/small.txt` }));
    writeFileSync("got.txt", await got.Body.transformToByteArray());
  },
  async list() {
    const pages = paginateListObjectsV2({ client, pageSize: 1 }, { Bucket, Prefix: `${folder}/` });
    for await (const page of pages) {
      for (const object of page.Contents ?? []) console.log(object.Key);
    }
  },
  async delete() {
    const Objects = [{ Key: `${folder}/small.txt` }, { Key: `${folder}/dir/inner.txt` }];
    const got = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
    if (got.Errors?.length) throw new Error(got.Errors[0].Code);
  },
};

await operations[operation]();
