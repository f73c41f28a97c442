//go:build interop

package main

// clientRow is an operation of a client on a folder.
type clientRow struct {
	client string

	// operation says what it does. Empty: the command says it.
	operation string

	// command is of the shell. $FOLDER is whose folder it is about. The table has it for clients
	// that are commands themselves.
	command string

	// then goes on with the command's result, and fails if that is wrong. It is not in the table.
	then string

	// advice is what to do about a refusal.
	advice string

	// needs tells what a machine may lack; nil: nothing else than the client.
	needs func() (missing string)
}

// missingObject is what a client is refused that asks for an object that is not there.
const missingObject = "s3:ListBucket"

// The clients, as the table names them.
const (
	awsCLI  = "AWS CLI"
	boto    = "boto3"
	goSDK   = "AWS SDK for Go"
	jsSDK   = "AWS SDK for JavaScript"
	rclone  = "rclone"
	s3fs    = "s3fs"
	console = "S3 console"
)

// clientPrelude goes in front of the commands of a client. rclone reaches the gate as a proxy, so
// that its requests are those that it sends to AWS.
var clientPrelude = map[string]string{
	rclone: `touch rclone.conf
export RCLONE_CONFIG=$PWD/rclone.conf RCLONE_CONFIG_S3_TYPE=s3 RCLONE_CONFIG_S3_PROVIDER=AWS
export RCLONE_CONFIG_S3_ENV_AUTH=true RCLONE_CONFIG_S3_REGION=$AWS_REGION
export RCLONE_CONFIG_S3_ENDPOINT=http://s3.$AWS_REGION.amazonaws.com http_proxy=$AWS_ENDPOINT_URL
export RCLONE_RETRIES=1 RCLONE_LOW_LEVEL_RETRIES=1
export RCLONE_S3_UPLOAD_CUTOFF=5M RCLONE_S3_COPY_CUTOFF=5M
mkdir mnt
trap "fusermount -u $PWD/mnt 2>/dev/null || true" EXIT
`,
	awsCLI: `aws() { command aws --endpoint-url $AWS_ENDPOINT_URL "$@"; }
`,
	s3fs: `export AWSACCESSKEYID=$AWS_ACCESS_KEY_ID AWSSECRETACCESSKEY=$AWS_SECRET_ACCESS_KEY
export AWSSESSIONTOKEN=$AWS_SESSION_TOKEN
mkdir mnt
trap "fusermount -u $PWD/mnt 2>/dev/null || true" EXIT
`,
}

// The beginnings of commands.
const (
	withBoto = "python3 $CLIENTS/transfer.py "
	withGo   = "$S3MANAGER "
	withJS   = "node $CLIENTS/transfer.mjs "
)

// The ends that check what was downloaded.
const (
	gotSmall = `grep -q "small, of $FOLDER" got.txt`
	gotLarge = `test $(wc -c <got.bin) = 9437184`
)

// clientRows are the rows of the table in docs/folder-policy.md.
var clientRows = []clientRow{
	{
		client:  awsCLI,
		command: "aws s3 ls s3://photos/$FOLDER/",
	},
	{
		client:  awsCLI,
		command: "aws s3 ls s3://photos/$FOLDER/dir/",
	},
	{
		client:  awsCLI,
		command: "aws s3 ls --recursive s3://photos/$FOLDER/",
	},
	{
		client:  awsCLI,
		command: "aws s3 ls s3://photos/$FOLDER",
		advice:  "add the slash",
	},
	{
		client:  awsCLI,
		command: "aws s3 ls s3://photos/",
		advice:  "name the folder",
	},
	{
		client:  awsCLI,
		command: "aws s3 ls",
		advice:  "name bucket and folder",
	},
	{
		client:    awsCLI,
		operation: "upload",
		command:   "aws s3 cp small.txt s3://photos/$FOLDER/",
	},
	{
		client:    awsCLI,
		operation: "upload in parts",
		command:   "aws s3 cp large.bin s3://photos/$FOLDER/",
	},
	{
		client:    awsCLI,
		operation: "upload of standard input",
		command:   "aws s3 cp - s3://photos/$FOLDER/new.txt <small.txt",
	},
	{
		client:    awsCLI,
		operation: "download",
		command:   "aws s3 cp s3://photos/$FOLDER/small.txt got.txt",
		then:      gotSmall,
	},
	{
		client:    awsCLI,
		operation: "download in parts",
		command:   "aws s3 cp s3://photos/$FOLDER/large.bin got.bin",
		then:      gotLarge,
	},
	{
		client:    awsCLI,
		operation: "copy",
		command:   "aws s3 cp s3://photos/$FOLDER/small.txt s3://photos/$FOLDER/copy.txt",
	},
	{
		client:    awsCLI,
		operation: "copy in parts, version 2",
		command:   "aws s3 cp s3://photos/$FOLDER/large.bin s3://photos/$FOLDER/copy.bin",
		advice:    "add `--copy-props metadata-directive`, which leaves tags out",
		needs:     awsVersion2,
	},
	{
		client:    awsCLI,
		operation: "copy in parts, version 2",
		command: "aws s3 cp --copy-props metadata-directive " +
			"s3://photos/$FOLDER/large.bin s3://photos/$FOLDER/copy.bin",
		needs: awsVersion2,
	},
	{
		client:    awsCLI,
		operation: "move",
		command:   "aws s3 mv s3://photos/$FOLDER/small.txt s3://photos/$FOLDER/moved.txt",
	},
	{
		client:  awsCLI,
		command: "aws s3 sync tree s3://photos/$FOLDER/tree/",
	},
	{
		client:  awsCLI,
		command: "aws s3 sync tree s3://photos/$FOLDER",
	},
	{
		client:  awsCLI,
		command: "aws s3 sync s3://photos/$FOLDER/ down",
		then:    `grep -q "inner, of $FOLDER" down/dir/inner.txt`,
	},
	{
		client:  awsCLI,
		command: "aws s3 sync --delete tree s3://photos/$FOLDER/",
	},
	{
		client:  awsCLI,
		command: "aws s3 rm s3://photos/$FOLDER/small.txt",
	},
	{
		client:  awsCLI,
		command: "aws s3 rm --recursive s3://photos/$FOLDER/",
	},
	{
		client:    awsCLI,
		operation: "presigned URL",
		command:   `curl -sSf "$(aws s3 presign s3://photos/$FOLDER/small.txt)"`,
	},
	{
		client:  awsCLI,
		command: "aws s3api head-object --bucket photos --key $FOLDER/small.txt",
	},
	{
		client:    awsCLI,
		operation: "missing object",
		command:   "aws s3api head-object --bucket photos --key $FOLDER/none.txt",
		advice:    "take 403 for missing, or list the folder",
	},
	{
		client: awsCLI,
		command: "aws s3api list-parts --bucket photos --key $FOLDER/begun.bin " +
			"--upload-id $UPLOAD",
	},
	{
		client: awsCLI,
		command: "aws s3api abort-multipart-upload --bucket photos --key " +
			"$FOLDER/begun.bin --upload-id $UPLOAD",
	},
	{
		client:  awsCLI,
		command: "aws s3api list-multipart-uploads --bucket photos --prefix $FOLDER/",
		advice:  "have a lifecycle rule of the bucket end unfinished uploads",
	},
	{
		client:  awsCLI,
		command: "aws s3api list-object-versions --bucket photos --prefix $FOLDER/",
		advice:  "see [above](#what-cannot-be-granted)",
	},
	{
		client:  awsCLI,
		command: "aws s3api get-object-tagging --bucket photos --key $FOLDER/small.txt",
		advice:  "see [above](#what-cannot-be-granted)",
	},
	{
		client: awsCLI,
		command: "aws s3api put-object-acl --bucket photos --key $FOLDER/small.txt --acl " +
			"public-read",
		advice: "see [above](#what-cannot-be-granted)",
	},
	{
		client:  awsCLI,
		command: "aws s3api get-bucket-location --bucket photos",
		advice:  "set the region",
	},
	{
		client:  awsCLI,
		command: "aws s3api head-bucket --bucket photos",
		advice:  "list the folder",
	},
	{
		client:    boto,
		operation: "`upload_file`",
		command:   withBoto + "upload-small $FOLDER",
	},
	{
		client:    boto,
		operation: "`upload_file`, in parts",
		command:   withBoto + "upload-large $FOLDER",
	},
	{
		client:    boto,
		operation: "`download_file`",
		command:   withBoto + "download-small $FOLDER",
		then:      gotSmall,
	},
	{
		client:    boto,
		operation: "`download_file`, in parts",
		command:   withBoto + "download-large $FOLDER",
		then:      gotLarge,
	},
	{
		client:    boto,
		operation: "`copy`",
		command:   withBoto + "copy-small $FOLDER",
	},
	{
		client:    boto,
		operation: "`copy`, in parts",
		command:   withBoto + "copy-large $FOLDER",
	},
	{
		client:    boto,
		operation: "paginator of `list_objects_v2`",
		command:   withBoto + "list $FOLDER",
	},
	{
		client:    boto,
		operation: "`delete_objects`",
		command:   withBoto + "delete $FOLDER",
	},
	{
		client:    goSDK,
		operation: "`manager.Uploader`",
		command:   withGo + "upload-small $FOLDER",
	},
	{
		client:    goSDK,
		operation: "`manager.Uploader`, in parts",
		command:   withGo + "upload-large $FOLDER",
	},
	{
		client:    goSDK,
		operation: "`manager.Downloader`",
		command:   withGo + "download-small $FOLDER",
		then:      gotSmall,
	},
	{
		client:    goSDK,
		operation: "`manager.Downloader`, in parts",
		command:   withGo + "download-large $FOLDER",
		then:      gotLarge,
	},
	{
		client:    goSDK,
		operation: "`ListObjectsV2Paginator`",
		command:   withGo + "list $FOLDER",
	},
	{
		client:    goSDK,
		operation: "`DeleteObjects`",
		command:   withGo + "delete $FOLDER",
	},
	{
		client:    jsSDK,
		operation: "`Upload` of lib-storage",
		command:   withJS + "upload-small $FOLDER",
	},
	{
		client:    jsSDK,
		operation: "`Upload` of lib-storage, in parts",
		command:   withJS + "upload-large $FOLDER",
	},
	{
		client:    jsSDK,
		operation: "`GetObject`",
		command:   withJS + "download $FOLDER",
		then:      gotSmall,
	},
	{
		client:    jsSDK,
		operation: "`paginateListObjectsV2`",
		command:   withJS + "list $FOLDER",
	},
	{
		client:    jsSDK,
		operation: "`DeleteObjects`",
		command:   withJS + "delete $FOLDER",
	},
	{
		client:  rclone,
		command: "rclone lsf s3:photos/$FOLDER",
	},
	{
		client:  rclone,
		command: "rclone lsf -R s3:photos/$FOLDER",
	},
	{
		client:  rclone,
		command: "rclone lsf s3:photos",
		advice:  "name the folder",
	},
	{
		client:  rclone,
		command: "rclone lsd s3:",
		advice:  "name bucket and folder",
	},
	{
		client:    rclone,
		operation: "upload of one file",
		command: "rclone copy --s3-acl bucket-owner-full-control --s3-no-check-bucket " +
			"small.txt s3:photos/$FOLDER/new",
		advice: "add `--no-check-dest`",
	},
	{
		client:    rclone,
		operation: "upload of one file",
		command: "rclone copy --no-check-dest --s3-acl bucket-owner-full-control " +
			"--s3-no-check-bucket small.txt s3:photos/$FOLDER/new",
	},
	{
		client:    rclone,
		operation: "upload in parts",
		command: "rclone copy --no-check-dest --s3-acl bucket-owner-full-control " +
			"--s3-no-check-bucket large.bin s3:photos/$FOLDER/new",
	},
	{
		client:    rclone,
		operation: "upload with a check of the bucket",
		command: "rclone copy --no-check-dest --s3-acl bucket-owner-full-control " +
			"small.txt s3:photos/$FOLDER/new",
		advice: "add `--s3-no-check-bucket`",
	},
	{
		client: rclone,
		command: "rclone sync --s3-acl bucket-owner-full-control --s3-no-check-bucket " +
			"tree s3:photos/$FOLDER/tree",
	},
	{
		client:  rclone,
		command: "rclone sync s3:photos/$FOLDER down",
		then:    `grep -q "inner, of $FOLDER" down/dir/inner.txt`,
	},
	{
		client:    rclone,
		operation: "download",
		command:   "rclone copyto s3:photos/$FOLDER/small.txt got.txt",
		then:      gotSmall,
	},
	{
		client:    rclone,
		operation: "copy",
		command: "rclone copyto --no-check-dest --s3-acl bucket-owner-full-control " +
			"--s3-no-check-bucket s3:photos/$FOLDER/small.txt " +
			"s3:photos/$FOLDER/copy.txt",
	},
	{
		client:    rclone,
		operation: "copy in parts",
		command: "rclone copyto --no-check-dest --s3-acl bucket-owner-full-control " +
			"--s3-no-check-bucket s3:photos/$FOLDER/large.bin " +
			"s3:photos/$FOLDER/copy.bin",
	},
	{
		client:    rclone,
		operation: "move",
		command: "rclone moveto --no-check-dest --s3-acl bucket-owner-full-control " +
			"--s3-no-check-bucket s3:photos/$FOLDER/small.txt " +
			"s3:photos/$FOLDER/moved.txt",
	},
	{
		client:  rclone,
		command: "rclone deletefile s3:photos/$FOLDER/small.txt",
	},
	{
		client:  rclone,
		command: "rclone delete s3:photos/$FOLDER",
	},
	{
		client:  rclone,
		command: "rclone mount --daemon s3:photos/$FOLDER mnt",
		then:    `grep -q "small, of $FOLDER" mnt/small.txt`,
		needs:   fuse,
	},
	{
		client: s3fs,
		command: "s3fs photos:/$FOLDER mnt -o use_session_token,sigv4,endpoint=$AWS_REGION " +
			"-o use_path_request_style,url=$AWS_ENDPOINT_URL",
		then: `for second in 1 2 3 4 5 6 7 8; do
  mountpoint -q mnt && ls mnt/small.txt && exit 0
  sleep 1
done
exit 1`,
		advice: "use `rclone mount`: s3fs lists the root of the bucket before it mounts " +
			"([its issue 2129](https://github.com/s3fs-fuse/s3fs-fuse/issues/2129))",
		needs: fuse,
	},
	{
		client:    console,
		operation: "list of buckets",
		command:   withBoto + "console-buckets $FOLDER",
		advice:    "open the folder by its URL",
	},
	{
		client:    console,
		operation: "root of the bucket",
		command:   withBoto + "console-bucket $FOLDER",
		advice:    "open the folder by its URL",
	},
	{
		client:    console,
		operation: "region of the bucket",
		command:   withBoto + "console-location $FOLDER",
		advice:    "name the region in the URL",
	},
	{
		client:    console,
		operation: "folder, by its URL",
		command:   withBoto + "console-folder $FOLDER",
	},
	{
		client:    console,
		operation: "create folder",
		command:   withBoto + "console-create-folder $FOLDER",
	},
	{
		client:    console,
		operation: "upload",
		command:   withBoto + "console-upload $FOLDER",
	},
	{
		client:    console,
		operation: "download",
		command:   withBoto + "console-download $FOLDER",
	},
	{
		client:    console,
		operation: "properties of an object",
		command:   withBoto + "console-properties $FOLDER",
	},
	{
		client:    console,
		operation: "tags of an object",
		command:   withBoto + "console-tags $FOLDER",
		advice:    "see [above](#what-cannot-be-granted)",
	},
	{
		client:    console,
		operation: "versions",
		command:   withBoto + "console-versions $FOLDER",
		advice:    "see [above](#what-cannot-be-granted)",
	},
	{
		client:    console,
		operation: "delete",
		command:   withBoto + "console-delete $FOLDER",
	},
}
