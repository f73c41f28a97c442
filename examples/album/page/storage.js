// The photos of one user in Amazon S3. The page calls it itself, with AWS's SDK.

import {
  DeleteObjectCommand,
  GetCallerIdentityCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  STSClient,
} from "./vendor/aws.js";
import { uploadTransport, watchUpload } from "./upload-transport.js";

export const largest = 16_000_000; // bytes
const thumbnailEdge = 480; // pixels
const thumbnails = ".thumbnails/"; // a folder in the user's own one

export function createStorage({ settings, credentials, folder }) {
  const { region, bucket: Bucket } = settings;
  const common = { region, credentials, maxAttempts: 2 };
  const s3 = { ...common, ...at(settings.s3), forcePathStyle: Boolean(settings.s3) };
  const client = new S3Client(s3);
  const uploads = new S3Client({ ...s3, requestHandler: uploadTransport });
  const sts = new STSClient({ ...common, ...at(settings.sts) });
  const prefix = `${folder}/`;

  // whoami asks AWS who the credentials are of.
  const whoami = () => sts.send(new GetCallerIdentityCommand({}));

  // list returns the user's photos, the newest first.
  async function list() {
    const photos = new Map();
    const small = new Set();
    let ContinuationToken;
    do {
      const page = await client.send(
        new ListObjectsV2Command({ Bucket, Prefix: prefix, ContinuationToken }));
      for (const { Key, Size, LastModified } of page.Contents ?? []) {
        const name = Key.slice(prefix.length);
        if (name.startsWith(thumbnails)) small.add(name.slice(thumbnails.length));
        else if (name && !name.includes("/")) {
          photos.set(name, { name, size: Size, modified: LastModified });
        }
      }
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken);
    return [...photos.values()]
      .map((photo) => ({ ...photo, hasThumbnail: small.has(photo.name) }))
      .sort((a, b) => b.modified - a.modified || a.name.localeCompare(b.name));
  }

  // peek lists the folder of another user, which AWS is to refuse.
  const peek = (other) => client.send(new ListObjectsV2Command({ Bucket, Prefix: `${other}/` }));

  // upload stores a photo, and a small version of it. It replaces no photo: isTaken tells whether
  // it failed because there is one with this name. It returns whether the small version is stored.
  async function upload(name, file, { progress, signal }) {
    const thumbnail = await shrink(file);
    const body = new Uint8Array(await file.arrayBuffer());
    watchUpload(body, progress);
    await put({ name, Body: body, ContentType: file.type, IfNoneMatch: "*" }, signal);
    const small = new Uint8Array(await thumbnail.arrayBuffer());
    try {
      await put({ name: thumbnails + name, Body: small, ContentType: thumbnail.type }, signal);
    } catch {
      return { hasThumbnail: false }; // the photo is stored, and is shown instead
    }
    return { hasThumbnail: true };
  }

  const put = ({ name, ...input }, abortSignal) => uploads.send(
    new PutObjectCommand({ Bucket, Key: prefix + name, ...input }), { abortSignal });

  async function read(name) {
    const { Body, ContentType } = await client.send(
      new GetObjectCommand({ Bucket, Key: prefix + name }));
    // A browser would run scripts of other types than pictures if one opens them in a tab.
    const type = /^image\/(?!svg)/i.test(ContentType) ? ContentType : "application/octet-stream";
    return new Blob([await Body.transformToByteArray()], { type });
  }

  const thumbnail = ({ name, hasThumbnail }) => read(hasThumbnail ? thumbnails + name : name);

  async function remove({ name, hasThumbnail }) {
    await client.send(new DeleteObjectCommand({ Bucket, Key: prefix + name }));
    if (!hasThumbnail) return;
    await client.send(new DeleteObjectCommand({ Bucket, Key: prefix + thumbnails + name }));
  }

  function close() {
    for (const one of [client, uploads, sts]) one.destroy();
  }

  return { whoami, list, peek, upload, read, thumbnail, remove, close };
}

// isTaken tells whether S3 has refused an upload because there is an object with its name.
export const isTaken = (error) => error?.$metadata?.httpStatusCode === 412;

// at is the endpoint of a client. Without an address it is AWS's.
const at = (address) => (address ? { endpoint: address } : {});

// shrink returns a small version of a photo. It fails for files that are not pictures.
async function shrink(file) {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Error("This browser cannot read the file as a picture.");
  });
  const scale = Math.min(1, thumbnailEdge / Math.max(bitmap.width, bitmap.height));
  const width = Math.max(1, Math.round(bitmap.width * scale));
  const height = Math.max(1, Math.round(bitmap.height * scale));
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  return canvas.convertToBlob({ type: "image/webp", quality: 0.8 });
}
