//go:build interop

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "take the pictures of the documentation")

const (
	// driver is the folder of the program that uses the page.
	driver = "testdata/browser"

	// shotsVariable names a folder for pictures of every state of the page.
	shotsVariable = "ALBUM_SHOTS"
)

// view is a browser window.
type view struct {
	Width  int    `json:"width"`
	Scheme string `json:"scheme"`
}

func (v view) String() string { return fmt.Sprintf("%d %s", v.Width, v.Scheme) }

var wide = view{1280, "light"}

// allViews are those in which every state of the page is checked.
var allViews = []view{wide, {1280, "dark"}, {375, "light"}, {375, "dark"}}

// complaints are what the browser says of a page.
type complaints struct {
	Messages   []struct{ Text, URL, Step string }
	Violations []string // of the content security policy
	Hosts      []string
}

// needs skips the test if a program is missing, and fails it in CI.
func needs(t *testing.T, name, debianPackage string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: apt-get install %s", name, debianPackage)
	}
	t.Skipf("%s is missing: apt-get install %s", name, debianPackage)
}

// needsModules does the same for the packages of npm in a folder.
func needsModules(t *testing.T, folder, module string) {
	t.Helper()
	needs(t, "node", "nodejs")
	if _, err := os.Stat(filepath.Join(folder, "node_modules", module)); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("run first: npm ci --prefix examples/album/%s", folder)
	}
	t.Skipf("run first: npm ci --prefix examples/album/%s", folder)
}

// browse uses a new album in Chromium as a scenario of the driver says, and reads into report what
// it saw. refused are parts of the addresses that may answer with an error, or not at all. Nothing
// else may be on the browser's console.
func browse(t *testing.T, scenario string, v view, shots string, report any, refused ...string) {
	t.Helper()
	needs(t, "chromium", "chromium")
	needsModules(t, driver, "axe-core")
	input, err := json.Marshal(map[string]any{
		"url":      newAlbum(t).page,
		"scenario": scenario,
		"width":    v.Width,
		"scheme":   v.Scheme,
		"shots":    shots,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "node", filepath.Join(driver, "drive.mjs"))
	command.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	command.Stdin = strings.NewReader(string(input))
	var said strings.Builder
	command.Stderr = &said
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
	var c complaints
	for _, into := range []any{&c, report} {
		if err := json.Unmarshal(out, into); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	c.check(t, refused)
}

// check refuses whatever the browser complains about, except for requests that are refused.
func (c complaints) check(t *testing.T, refused []string) {
	t.Helper()
	for _, message := range c.Messages {
		expected := strings.HasPrefix(message.Text, "Failed to load resource: ") &&
			slices.ContainsFunc(refused, func(part string) bool {
				return strings.Contains(message.URL, part)
			})
		if !expected {
			t.Errorf("on the console, %s: %s %s", message.Step, message.Text, message.URL)
		}
	}
	for _, violation := range c.Violations {
		t.Errorf("the content security policy: %s", violation)
	}
	if !slices.Equal(c.Hosts, []string{"127.0.0.1"}) {
		t.Errorf("the page reached %q", c.Hosts)
	}
}

// TestInterop_TwoUsers has two users in turn in one browser, with files of the same name.
func TestInterop_TwoUsers(t *testing.T) {
	var got struct {
		Progress, Alice, Bob, AliceAgain, AfterDeletion, Stored []string
		AliceIs, BobIs, Address                                 string
		Left                                                    bool
	}
	browse(t, "users", wide, "", &got)
	for what, pair := range map[string][2][]string{
		"Alice has":            {got.Alice, {"cat.png", "dog.png"}},
		"Bob has":              {got.Bob, {"cat (2).png", "cat.png"}},
		"Alice, after Bob":     {got.AliceAgain, {"cat.png", "dog.png"}},
		"after a deletion":     {got.AfterDeletion, {"cat.png"}},
		"the browser's stores": {got.Stored, {}},
	} {
		if !slices.Equal(pair[0], pair[1]) {
			t.Errorf("%s: got %q, want %q", what, pair[0], pair[1])
		}
	}
	if got.Left {
		t.Error("a photo of Alice is on the page after she has signed out")
	}
	session := "arn:aws:sts::123456789012:assumed-role/album-user/"
	if got.AliceIs != session+"alice@example.com" || got.BobIs != session+"bob@example.com" {
		t.Errorf("AWS says %q and %q", got.AliceIs, got.BobIs)
	}
	if address, err := url.Parse(got.Address); err != nil || address.RequestURI() != "/" {
		t.Errorf("after the sign-in, the address is %s", got.Address)
	}
	checkProgress(t, got.Progress)
}

// checkProgress checks that an upload showed some percentages on its way, which only rise.
func checkProgress(t *testing.T, seen []string) {
	t.Helper()
	last := -1
	between := 0
	for _, text := range seen {
		percent, err := strconv.Atoi(strings.TrimSuffix(text, " %"))
		if err != nil || percent <= last {
			t.Fatalf("the progress is %q", seen)
		}
		last = percent
		if percent > 0 && percent < 100 {
			between++
		}
	}
	if between == 0 || last != 100 {
		t.Errorf("the progress is %q", seen)
	}
}

// TestInterop_FolderOfAnother shows what AWS says, as AWS says it.
func TestInterop_FolderOfAnother(t *testing.T) {
	var got struct{ Alice, Bob []string }
	browse(t, "refusal", wide, "", &got, "prefix=bob%2F", "prefix=alice%2F")
	want := func(user string) []string {
		return []string{
			"User: arn:aws:sts::123456789012:assumed-role/album-user/" + user + "@example.com is " +
				"not authorized to perform: s3:ListBucket on resource: " +
				"\"arn:aws:s3:::example-album\" because no identity-based policy allows the " +
				"s3:ListBucket action",
			"AWS, AccessDenied, HTTP 403",
		}
	}
	if !slices.Equal(got.Alice, want("alice")) || !slices.Equal(got.Bob, want("bob")) {
		t.Errorf("got %q and %q", got.Alice, got.Bob)
	}
}

// TestInterop_Expiry has credentials renewed silently, and kept while the service is down. The page
// says when they, and the sign-in, have ended.
func TestInterop_Expiry(t *testing.T) {
	var got struct {
		Steps  []struct{ Name, Left, Renewal, Key string }
		Loads  int
		Ended  string
		Photos []string
	}
	browse(t, "expiry", wide, "", &got, "/credentials", "/oauth/token")
	want := []struct {
		name, left, renewal string
		newKey              bool
	}{
		{"signed in", `1[45]:\d\d`, "The page renews them by itself in ", true},
		{"renewed", `1[345]:\d\d`, "Last renewed at ", true},
		{"renewal on demand failed", `1[345]:\d\d`, "asks for new ones in ", false},
		{"late", `0[01]:\d\d`, "asks for new ones every 10 seconds", false},
	}
	if len(got.Steps) != len(want) {
		t.Fatalf("got %+v", got.Steps)
	}
	key := ""
	for i, step := range got.Steps {
		if step.Name != want[i].name ||
			!regexp.MustCompile(`\A`+want[i].left+`\z`).MatchString(step.Left) ||
			!strings.Contains(step.Renewal, want[i].renewal) ||
			(step.Key != key) != want[i].newKey || !strings.HasPrefix(step.Key, "ASIA") {
			t.Errorf("got %+v, want %+v", step, want[i])
		}
		key = step.Key
	}
	if got.Loads != 0 {
		t.Errorf("the silent renewal has loaded the page %d times", got.Loads)
	}
	if !strings.Contains(got.Ended, "Sign in again to go on.") {
		t.Errorf("at the end of the sign-in: %s", got.Ended)
	}
	if !slices.Equal(got.Photos, []string{"cat.png"}) {
		t.Errorf("in the end there are %q", got.Photos)
	}
}

// TestInterop_SignOut signs out while the ID token is being renewed. The page keeps no token of the
// renewal, and shows nothing of what failed.
func TestInterop_SignOut(t *testing.T) {
	var got struct {
		Revoked int
		Welcome bool
	}
	browse(t, "signOut", wide, "", &got)
	if got.Revoked != 2 || !got.Welcome {
		t.Errorf("got %+v", got)
	}
}

// TestInterop_Names uploads files of names that S3 has and the page has not listed. No upload
// replaces a photo.
func TestInterop_Names(t *testing.T) {
	var got struct {
		Waiting         string
		PutsBefore      int
		Renamed, Photos []string
	}
	browse(t, "names", wide, "", &got, "/example-album/alice/cat")
	if got.Waiting != "waiting" || got.PutsBefore != 0 {
		t.Errorf("before the list, the upload is %q, with %d requests", got.Waiting, got.PutsBefore)
	}
	if want := []string{"cat (3).png"}; !slices.Equal(got.Renamed, want) {
		t.Errorf("with a list that is too old: got %q, want %q", got.Renamed, want)
	}
	want := []string{"cat (2).png", "cat (3).png", "cat.png"}
	if !slices.Equal(got.Photos, want) {
		t.Errorf("in the end: got %q, want %q", got.Photos, want)
	}
}

// TestInterop_Merged: a list of the bucket that was on its way while uploads ended loses none of
// them, and counts none twice.
func TestInterop_Merged(t *testing.T) {
	var got struct {
		Lists         int
		Before, After []string
		About         string
	}
	browse(t, "merged", wide, "", &got, "list-type=2")
	if want := []string{"early.png"}; got.Lists != 2 || !slices.Equal(got.Before, want) {
		t.Errorf("after the first of %d lists: got %q, want %q", got.Lists, got.Before, want)
	}
	want := []string{"early.png", "late.png", "old.png"}
	if !slices.Equal(got.After, want) {
		t.Errorf("in the end: got %q, want %q", got.After, want)
	}
	if !strings.HasSuffix(got.About, "photo 1 of 3") {
		t.Errorf("the viewer says %q", got.About)
	}
}

// TestInterop_Cancel ends uploads before their request, in that of the thumbnail, and by a
// sign-out.
func TestInterop_Cancel(t *testing.T) {
	var got struct {
		Puts   int
		Said   string
		Photos []string
	}
	browse(t, "cancel", wide, "", &got)
	if got.Puts != 0 || got.Said != "The upload of early.png is cancelled." {
		t.Errorf("before the request: got %d requests and %q", got.Puts, got.Said)
	}
	if want := []string{"late.png"}; !slices.Equal(got.Photos, want) {
		t.Errorf("in the end: got %q, want %q", got.Photos, want)
	}
}

// TestInterop_Viewer: the page keeps no object URL of a photo that is no longer viewed, and no
// picture is a program.
func TestInterop_Viewer(t *testing.T) {
	var got struct{ Before, Viewed, Closed, SignedOut []string }
	browse(t, "viewer", wide, "", &got)
	small := []string{"image/webp", "image/webp"}
	viewed := append([]string{"application/octet-stream"}, small...)
	for what, pair := range map[string][2][]string{
		"before":                    {got.Before, small},
		"with an overtaken view":    {got.Viewed, viewed},
		"after the viewer's close":  {got.Closed, small},
		"after the user's sign-out": {got.SignedOut, {}},
	} {
		if !slices.Equal(pair[0], pair[1]) {
			t.Errorf("%s: got %q, want %q", what, pair[0], pair[1])
		}
	}
}

// TestInterop_Unexplained switches a rule and cannot show the effect. The page does not say that
// the rule stays as it is, unless it does.
func TestInterop_Unexplained(t *testing.T) {
	var got struct{ ExplainFails, On, RulesFail, Off string }
	browse(t, "unexplained", wide, "", &got, "/explain", "/rules")
	if got.ExplainFails != "The rule is switched, but the decision cannot be shown." ||
		got.On != "true" {
		t.Errorf("without the decision: got %q, and the switch is %s", got.ExplainFails, got.On)
	}
	if !strings.Contains(got.RulesFail, "the rule stays as it is") || got.Off != "false" {
		t.Errorf("without the rules: got %q, and the switch is %s", got.RulesFail, got.Off)
	}
}

// TestInterop_Rules has a rule refuse a user, and switches it off. Another one narrows the session.
func TestInterop_Rules(t *testing.T) {
	var got struct {
		Denied, DeniedStages, AllowedStages           []string
		Changes, Focus, ReadOnly, Upload, DeniedAgain string
		Hidden                                        bool
	}
	browse(t, "rules", wide, "", &got, "/credentials", "/example-album/carol/dog.png")
	for what, pair := range map[string][2][]string{
		"the refusal": {
			got.Denied,
			{"only photographers have an album", "The service, unauthorized, HTTP 401"},
		},
		"the stages": {
			got.DeniedStages, {"done", "refused", "waiting", "waiting", "waiting"},
		},
		"the stages without the rule": {
			got.AllowedStages, {"done", "done", "done", "done", "done"},
		},
	} {
		if !slices.Equal(pair[0], pair[1]) {
			t.Errorf("%s: got %q, want %q", what, pair[0], pair[1])
		}
	}
	for _, one := range []struct{ what, got, want string }{
		{"off", got.Changes, "“Only photographers” is off. For Carol, this changes:"},
		{"off", got.Changes, "only photographers have an album\tallowed"},
		{"off", got.Changes, "Source identity\tnone\tcarol"},
		{"read only", got.ReadOnly, "Session policy\tnone\tonly s3:GetObject, s3:ListBucket"},
		{"an upload", got.Upload, "because no session policy allows the s3:PutObject action"},
		{"on again", got.DeniedAgain, "“Only photographers” is on."},
		{"the focus", got.Focus, "switch"},
	} {
		if !strings.Contains(one.got, one.want) {
			t.Errorf("%s: got %s, want %s", one.what, one.got, one.want)
		}
	}
	if !got.Hidden {
		t.Error("the photos are still there after the rule has refused")
	}
}

// TestInterop_Keyboard uses the album without a mouse. One sees the focus wherever it is.
func TestInterop_Keyboard(t *testing.T) {
	var got struct {
		Stops []struct {
			Name    string
			Visible bool
		}
		InViewer, AfterViewer, InConfirm, AfterDelete, AfterSwitch string
		First, Second                                              string
	}
	browse(t, "keyboard", wide, "", &got, "prefix=bob%2F")
	for _, stop := range got.Stops {
		if !stop.Visible {
			t.Errorf("one does not see the focus on %q", stop.Name)
		}
	}
	for _, one := range []struct{ where, got, want string }{
		{"in the viewer", got.InViewer, "Close"},
		{"after the viewer", got.AfterViewer, got.First},
		{"in the question", got.InConfirm, "Keep it"},
		{"after a deletion", got.AfterDelete, got.Second},
		{"after a switch", got.AfterSwitch, "Sessions of 15 minutes"},
	} {
		if one.got != one.want {
			t.Errorf("the focus %s is on %q, want %q", one.where, one.got, one.want)
		}
	}
}

// browserState is a state of the page, with what axe-core found and what it could not decide. Over
// is by how many pixels the page is wider than the window.
type browserState struct {
	State            string
	Findings, Unsure []string
	Over             int
}

// TestInterop_States checks every state of the page with axe-core, in narrow and wide windows,
// light and dark. If ALBUM_SHOTS names a folder, it puts pictures of them there.
func TestInterop_States(t *testing.T) {
	shots := os.Getenv(shotsVariable)
	if shots != "" {
		if err := os.MkdirAll(shots, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for scenario, states := range map[string][]string{
		"states": {
			"welcome", "login", "loading", "empty", "album", "viewer", "confirm", "folder of bob",
			"uploads refused", "s3 down upload", "s3 down",
		},
		"troubles": {
			"service down", "denied", "rule off", "sign-in ended", "provider down", "album down",
		},
	} {
		for _, v := range allViews {
			t.Run(scenario+" "+v.String(), func(t *testing.T) {
				var got struct{ States []browserState }
				browse(t, scenario, v, shots, &got,
					"/credentials", "/example-album/", "/oauth/token", "/.well-known/", "/settings.json")
				var names []string
				for _, state := range got.States {
					names = append(names, state.State)
					state.check(t)
				}
				if !slices.Equal(names, states) {
					t.Errorf("got %q, want %q", names, states)
				}
			})
		}
	}
}

func (s browserState) check(t *testing.T) {
	t.Helper()
	t.Logf("%s: %d findings of axe-core, %d undecided", s.State, len(s.Findings), len(s.Unsure))
	for _, finding := range slices.Concat(s.Findings, s.Unsure) {
		t.Errorf("%s: axe-core: %s", s.State, finding)
	}
	if s.Over > 0 {
		t.Errorf("%s: the page is %d pixels wider than the window", s.State, s.Over)
	}
}

// TestInterop_Bundle builds page/vendor anew, with the versions of the lock file.
func TestInterop_Bundle(t *testing.T) {
	needsModules(t, "bundle", "esbuild")
	command := exec.CommandContext(t.Context(), "node", "bundle/build.mjs", "--check")
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("%s", out)
}

// TestInterop_Pictures takes the pictures of the documentation with -update. Otherwise it tries
// that they can be taken.
func TestInterop_Pictures(t *testing.T) {
	folder := t.TempDir()
	for _, p := range pictures {
		browse(t, "picture", view{p.width, p.scheme}, folder, &struct{}{}, "prefix=bob%2F")
	}
	if *update {
		keepPictures(t, folder)
	}
}

// fewerShades rounds a byte of a color to one of 52: a third less for PNG to store.
func fewerShades(value uint8) uint8 {
	const most = 51
	return uint8((int(value)*most + 127) / 255 * 255 / most)
}

// keepPictures stores the pictures in a folder as those of the documentation, smaller.
func keepPictures(t *testing.T, folder string) {
	t.Helper()
	for _, p := range pictures {
		name := fmt.Sprintf("album-%d-%s.png", p.width, p.scheme)
		taken, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := png.Decode(bytes.NewReader(taken))
		if err != nil {
			t.Fatal(err)
		}
		opaque := image.NewRGBA(decoded.Bounds())
		draw.Draw(opaque, opaque.Bounds(), decoded, decoded.Bounds().Min, draw.Src)
		for i, value := range opaque.Pix {
			opaque.Pix[i] = fewerShades(value)
		}
		var small bytes.Buffer
		encoder := png.Encoder{CompressionLevel: png.BestCompression}
		if err := encoder.Encode(&small, opaque); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p.path(), small.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes, %d as taken", p.file, small.Len(), len(taken))
	}
	if err := os.WriteFile(pictureRecord, []byte(hashOfPage(t)+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}
