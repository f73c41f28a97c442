// Command s3manager does one operation of the transfer manager of AWS's SDK for Go on a folder of a
// bucket: s3manager OPERATION FOLDER.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const bucket = "photos"

func main() {
	log.SetFlags(0)
	ctx := context.Background()
	loaded, err := config.LoadDefaultConfig(ctx, config.WithRetryMaxAttempts(1))
	if err != nil {
		log.Fatal(err)
	}
	client := s3.NewFromConfig(loaded, func(o *s3.Options) { o.UsePathStyle = true })
	if err := do(ctx, client, os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func do(ctx context.Context, client *s3.Client, operation, folder string) error {
	switch operation {
	case "upload-small":
		return upload(ctx, client, "small.txt", folder+"/new.txt")
	case "upload-large":
		return upload(ctx, client, "large.bin", folder+"/new.bin")
	case "download-small":
		return download(ctx, client, folder+"/small.txt", "got.txt")
	case "download-large":
		return download(ctx, client, folder+"/large.bin", "got.bin")
	case "list":
		return list(ctx, client, folder)
	case "delete":
		return remove(ctx, client, folder)
	}
	return errors.New("there is no such operation")
}

func upload(ctx context.Context, client *s3.Client, file, key string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	_, err = manager.NewUploader(client).Upload(ctx, &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: &key, Body: bytes.NewReader(text),
	})
	return err
}

func download(ctx context.Context, client *s3.Client, key, file string) error {
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = manager.NewDownloader(client).Download(ctx, out, &s3.GetObjectInput{
		Bucket: aws.String(bucket), Key: &key,
	})
	return errors.Join(err, out.Close())
}

func list(ctx context.Context, client *s3.Client, folder string) error {
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{
		Bucket: aws.String(bucket), Prefix: aws.String(folder + "/"), MaxKeys: aws.Int32(1),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, object := range page.Contents {
			fmt.Println(*object.Key)
		}
	}
	return nil
}

func remove(ctx context.Context, client *s3.Client, folder string) error {
	answer, err := client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: aws.String(bucket),
		Delete: &types.Delete{Objects: []types.ObjectIdentifier{
			{Key: aws.String(folder + "/small.txt")}, {Key: aws.String(folder + "/dir/inner.txt")},
		}},
	})
	if err == nil && len(answer.Errors) > 0 {
		err = errors.New(aws.ToString(answer.Errors[0].Code))
	}
	return err
}
