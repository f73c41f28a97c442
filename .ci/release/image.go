package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// The types are those of the OCI image specification 1.1, with the fields that this image uses.
const (
	mediaLayout   = "1.0.0"
	mediaIndex    = "application/vnd.oci.image.index.v1+json"
	mediaManifest = "application/vnd.oci.image.manifest.v1+json"
	mediaConfig   = "application/vnd.oci.image.config.v1+json"
	mediaLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Platform    *platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

type index struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	Manifests     []descriptor      `json:"manifests"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	Config        descriptor        `json:"config"`
	Layers        []descriptor      `json:"layers"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

type imageConfig struct {
	Created      string    `json:"created"`
	Architecture string    `json:"architecture"`
	OS           string    `json:"os"`
	Config       settings  `json:"config"`
	RootFS       rootFS    `json:"rootfs"`
	History      []history `json:"history"`
}

// settings are those of deploy/docker/Dockerfile; a test compares them.
type settings struct {
	User         string              `json:"User"`
	ExposedPorts map[string]struct{} `json:"ExposedPorts"`
	Env          []string            `json:"Env"`
	Entrypoint   []string            `json:"Entrypoint"`
	Cmd          []string            `json:"Cmd"`
	Labels       map[string]string   `json:"Labels"`
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

type history struct {
	Created   string `json:"created"`
	CreatedBy string `json:"created_by"`
}

// imageLayout is an OCI image layout while it is written: the files of a folder, by name.
type imageLayout map[string][]byte

// writeImage writes the image of all Linux programs, as a folder and as a file, and returns the
// file. It is "" if there is no Linux program.
func writeImage(from source, programs []program, out string) (string, error) {
	l := imageLayout{"oci-layout": []byte(`{"imageLayoutVersion":"` + mediaLayout + `"}`)}
	var images []descriptor
	for _, p := range programs {
		if p.os != "linux" {
			continue
		}
		image, err := l.addImage(from, p)
		if err != nil {
			return "", err
		}
		images = append(images, image)
	}
	if len(images) == 0 {
		return "", nil
	}
	version := programs[0].version
	all, err := l.addJSON(mediaIndex, index{
		SchemaVersion: 2,
		MediaType:     mediaIndex,
		Manifests:     images,
		Annotations:   labels(from, version),
	})
	if err != nil {
		return "", err
	}
	all.Annotations = map[string]string{"org.opencontainers.image.ref.name": version}
	top := index{SchemaVersion: 2, MediaType: mediaIndex, Manifests: []descriptor{all}}
	if l["index.json"], err = json.Marshal(top); err != nil {
		return "", err
	}
	if err := l.writeFolder(filepath.Join(out, "image")); err != nil {
		return "", err
	}
	name := "delegation_" + strings.TrimPrefix(version, "v") + "_image.tar"
	return filepath.Join(out, name), l.writeFile(filepath.Join(out, name), from.time)
}

// addImage adds the image of one platform: a layer, its configuration and their manifest.
func (l imageLayout) addImage(from source, p program) (descriptor, error) {
	unpacked, err := layer(from, p)
	if err != nil {
		return descriptor{}, err
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return descriptor{}, err
	}
	if _, err := z.Write(unpacked); err != nil {
		return descriptor{}, err
	}
	if err := z.Close(); err != nil {
		return descriptor{}, err
	}
	created := from.time.Format(time.RFC3339)
	config, err := l.addJSON(mediaConfig, imageConfig{
		Created:      created,
		Architecture: p.arch,
		OS:           p.os,
		Config: settings{
			User:         "65532:65532",
			ExposedPorts: map[string]struct{}{"8080/tcp": {}},
			Env:          []string{"DELEGATION_LISTEN=:8080"},
			Entrypoint:   []string{"/delegation"},
			Cmd:          []string{"serve", "--config", "/etc/delegation/delegation.yaml"},
			Labels:       labels(from, p.version),
		},
		RootFS:  rootFS{Type: "layers", DiffIDs: []string{digest(unpacked)}},
		History: []history{{Created: created, CreatedBy: ".ci/release"}},
	})
	if err != nil {
		return descriptor{}, err
	}
	image, err := l.addJSON(mediaManifest, manifest{
		SchemaVersion: 2,
		MediaType:     mediaManifest,
		Config:        config,
		Layers:        []descriptor{l.add(mediaLayer, packed.Bytes())},
		Annotations:   labels(from, p.version),
	})
	image.Platform = &platform{Architecture: p.arch, OS: p.os}
	return image, err
}

// layer is the file system: the binary and the public CAs.
func layer(from source, p program) ([]byte, error) {
	binary, err := os.ReadFile(p.file)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = packTar(&b, []entry{
		{"delegation", 0o755, binary},
		{"etc/", 0o755, nil},
		{"etc/ssl/", 0o755, nil},
		{"etc/ssl/certs/", 0o755, nil},
		{"etc/ssl/certs/ca-certificates.crt", 0o644, authorities()},
	}, from.time)
	return b.Bytes(), err
}

// authorities are Mozilla's root certificates, in the version that go.mod names, as PEM. Roots that
// Mozilla trusts only for older certificates are left out, because PEM cannot express that.
func authorities() []byte {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
		}
	}
	return b.Bytes()
}

// labels are the annotations that the OCI image specification predefines.
func labels(from source, version string) map[string]string {
	const home = "https://github.com/seed055b7978/delegation"
	return map[string]string{
		"org.opencontainers.image.created":       from.time.Format(time.RFC3339),
		"org.opencontainers.image.description":   "OpenID ID tokens to AWS credentials",
		"org.opencontainers.image.documentation": home + "/blob/main/docs/service.md",
		"org.opencontainers.image.licenses":      "MIT",
		"org.opencontainers.image.revision":      from.commit,
		"org.opencontainers.image.source":        home,
		"org.opencontainers.image.title":         "delegation",
		"org.opencontainers.image.version":       version,
	}
}

func (l imageLayout) addJSON(mediaType string, value any) (descriptor, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return descriptor{}, err
	}
	return l.add(mediaType, text), nil
}

// add adds a blob and returns its descriptor.
func (l imageLayout) add(mediaType string, data []byte) descriptor {
	d := descriptor{MediaType: mediaType, Digest: digest(data), Size: len(data)}
	l["blobs/"+strings.Replace(d.Digest, ":", "/", 1)] = data
	return d
}

func digest(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }

func (l imageLayout) writeFolder(folder string) error {
	for name, data := range l {
		file := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// writeFile writes the layout as one tar file, which podman, skopeo and crane read.
func (l imageLayout) writeFile(file string, modified time.Time) error {
	entries := []entry{{"blobs/", 0o755, nil}, {"blobs/sha256/", 0o755, nil}}
	for _, name := range slices.Sorted(maps.Keys(l)) {
		entries = append(entries, entry{name, 0o644, l[name]})
	}
	var b bytes.Buffer
	if err := packTar(&b, entries, modified); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}
