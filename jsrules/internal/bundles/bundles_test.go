package bundles_test

import (
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/jsrules/internal/bundles"
)

// TestBundles: every bundle unpacks to the content whose hash the manifest has, and its licence is
// next to it.
func TestBundles(t *testing.T) {
	names := map[string]bool{}
	for _, bundle := range bundles.All() {
		if names[bundle.Name] {
			t.Errorf("%s is there twice", bundle.Name)
		}
		names[bundle.Name] = true
		licence, err := bundle.Licence()
		if err != nil || !strings.Contains(licence, "Permission is hereby granted") {
			t.Errorf("%s: the licence is %q: %v", bundle.Name, licence, err)
		}
		if !bundle.IsFolder() {
			source, err := bundle.Source()
			if err != nil || len(source) < 10_000 {
				t.Errorf("%s: %d bytes, %v", bundle.Name, len(source), err)
			}
		}
	}
	if len(names) < 8 {
		t.Errorf("only %d bundles", len(names))
	}
}

// TestChangedBundle: a content that is not the published one is refused.
func TestChangedBundle(t *testing.T) {
	for _, name := range []string{"lodash", "moment/locale"} {
		bundle, ok := bundles.Find(name)
		if !ok {
			t.Fatalf("%s is missing", name)
		}
		bundle.SHA256 = bundles.Sum(nil)
		source, err := bundle.Source()
		if err == nil || source != "" || !strings.Contains(err.Error(), bundle.SHA256) {
			t.Errorf("%s: got %d bytes, %v", name, len(source), err)
		}
		sources, err := bundle.Sources()
		if err == nil || sources != nil {
			t.Errorf("%s: got %d files, %v", name, len(sources), err)
		}
	}
}

// TestFind: a name that is no bundle is not found.
func TestFind(t *testing.T) {
	for _, name := range []string{"", "Lodash", "lodash@4", "underscore"} {
		if bundle, ok := bundles.Find(name); ok {
			t.Errorf("%q: found %s", name, bundle.Package)
		}
	}
}

// TestLocales: every language of moment is there, by name.
func TestLocales(t *testing.T) {
	sources, err := bundles.Locales()
	if err != nil || len(sources) < 130 {
		t.Fatal(len(sources), err)
	}
	for _, name := range []string{"de", "pt-br", "zh-tw"} {
		if !strings.Contains(sources[name], "moment.defineLocale('"+name+"'") {
			t.Errorf("%s is missing", name)
		}
	}
}
