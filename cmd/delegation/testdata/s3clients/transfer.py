"""One operation of boto3 on a folder: transfer.py OPERATION FOLDER."""

import sys

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

operation, folder = sys.argv[1:]
BUCKET = "photos"
s3 = boto3.client("s3", config=Config(retries={"total_max_attempts": 1}))
one = TransferConfig(use_threads=False)


def source(name):
    return {"Bucket": BUCKET, "Key": f"{folder}/{name}"}


def upload(file, name):
    s3.upload_file(file, BUCKET, f"{folder}/{name}", Config=one)


def delete():
    keys = [{"Key": f"{folder}/small.txt"}, {"Key": f"{folder}/dir/inner.txt"}]
    answer = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": keys})
    assert not answer.get("Errors"), answer["Errors"]


def listing():
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, Prefix=f"{folder}/", PaginationConfig={"PageSize": 1}
    )
    for page in pages:
        for found in page.get("Contents", []):
            print(found["Key"])


# What the S3 console asks for, by the walkthrough "Controlling access to a bucket with user
# policies" of the Amazon S3 User Guide and the CloudTrail events of its pages.
def open_folder():
    answer = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{folder}/", Delimiter="/")
    for found in answer.get("Contents", []):
        print(found["Key"])


OPERATIONS = {
    "upload-small": lambda: upload("small.txt", "new.txt"),
    "upload-large": lambda: upload("large.bin", "new.bin"),
    "download-small": lambda: s3.download_file(
        BUCKET, f"{folder}/small.txt", "got.txt", Config=one
    ),
    "download-large": lambda: s3.download_file(
        BUCKET, f"{folder}/large.bin", "got.bin", Config=one
    ),
    "copy-small": lambda: s3.copy(
        source("small.txt"), BUCKET, f"{folder}/copy.txt", Config=one
    ),
    "copy-large": lambda: s3.copy(
        source("large.bin"), BUCKET, f"{folder}/copy.bin", Config=one
    ),
    "list": listing,
    "delete": delete,
    "console-buckets": lambda: s3.list_buckets(),
    "console-bucket": lambda: s3.list_objects_v2(Bucket=BUCKET, Prefix="", Delimiter="/"),
    "console-location": lambda: s3.get_bucket_location(Bucket=BUCKET),
    "console-versioning": lambda: s3.get_bucket_versioning(Bucket=BUCKET),
    "console-folder": open_folder,
    "console-create-folder": lambda: s3.put_object(
        Bucket=BUCKET, Key=f"{folder}/new/", Body=b""
    ),
    "console-upload": lambda: upload("small.txt", "new.txt"),
    "console-download": lambda: s3.get_object(Bucket=BUCKET, Key=f"{folder}/small.txt"),
    "console-properties": lambda: s3.head_object(Bucket=BUCKET, Key=f"{folder}/small.txt"),
    "console-tags": lambda: s3.get_object_tagging(Bucket=BUCKET, Key=f"{folder}/small.txt"),
    "console-versions": lambda: s3.list_object_versions(Bucket=BUCKET, Prefix=f"{folder}/"),
    "console-delete": delete,
}
OPERATIONS[operation]()
