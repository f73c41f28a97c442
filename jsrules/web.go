package jsrules

import (
	"embed"
	"encoding/base64"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dop251/goja"
	"github.com/seed055b7978/delegation/jsrules/internal/node"
	"github.com/seed055b7978/delegation/jsrules/internal/webclient"
)

// webModules are the modules that call hosts, each with the file of web that defines it and the
// name of its export there. They exist if Options.HTTP is set.
var webModules = map[string]webModule{
	"request":                       {"request.js", "request"},
	"request-promise":               {"request.js", "promised"},
	"request-promise-native":        {"request.js", "promised"},
	"request-promise/errors":        {"request.js", "errors"},
	"request-promise-native/errors": {"request.js", "errors"},
	"axios":                         {"axios.js", "axios"},
	"node-fetch":                    {"fetch.js", "nodeFetch"},
	"auth0":                         {"auth0.js", "auth0"},
}

// webGlobals are the globals that call hosts, likewise.
var webGlobals = map[string]webModule{
	"request":         {"request.js", "request"},
	"fetch":           {"fetch.js", "fetch"},
	"Headers":         {"fetch.js", "Headers"},
	"Request":         {"fetch.js", "Request"},
	"Response":        {"fetch.js", "Response"},
	"AbortController": {"fetch.js", "AbortController"},
	"AbortSignal":     {"fetch.js", "AbortSignal"},
}

// webModule is an export of a file of web.
type webModule struct{ file, export string }

//go:embed web/*.js
var webSources embed.FS

// webPrograms are the compiled files of web.
var webPrograms = sync.OnceValue(func() map[string]*goja.Program {
	programs := map[string]*goja.Program{}
	entries, _ := webSources.ReadDir("web") // embedded, so it is there
	for _, entry := range entries {
		source, _ := webSources.ReadFile("web/" + entry.Name())
		programs[entry.Name()] = goja.MustCompile(entry.Name(), string(source), true)
	}
	return programs
})

// webExport returns an export of a file of web. The file runs once in a runtime, on its first use.
func (r *run) webExport(m webModule) goja.Value {
	return r.webFile(m.file).Get(m.export)
}

func (r *run) webFile(file string) *goja.Object {
	if made, ok := r.webFiles[file]; ok {
		return made
	}
	define, _ := goja.AssertFunction(r.must(r.rt.RunProgram(webPrograms()[file])))
	exports := r.must(define(goja.Undefined(), r.webNatives())).(*goja.Object)
	if r.webFiles == nil {
		r.webFiles = map[string]*goja.Object{}
	}
	r.webFiles[file] = exports
	return exports
}

// webNatives are what the files of web need in Go, and common.js, which they share.
func (r *run) webNatives() *goja.Object {
	if r.natives != nil {
		return r.natives
	}
	r.natives = r.rt.NewObject()
	for name, function := range map[string]func(goja.FunctionCall) goja.Value{
		"send":       r.send,
		"drop":       r.dropCall,
		"later":      r.setImmediate,
		"parse":      r.parseJSON,
		"stringify":  r.stringifyJSON,
		"setTimeout": r.setTimeout,
		"text":       r.textOfBytes,
		"bytes":      r.bytesOfText,
		"base64":     r.base64,
		"unescape":   r.unescape,
		"origin":     r.origin,
		"buffer": func(goja.FunctionCall) goja.Value {
			return r.nodeModules().Global("Buffer") // a large module, so only where it is used
		},
	} {
		_ = r.natives.Set(name, function)
	}
	_ = r.natives.Set("common", r.webFile("common.js"))
	return r.natives
}

// webMentioned returns the names of [webGlobals] that a rule can reach. Properties such as
// context.request do not count. Without Options.HTTP there are none.
func webMentioned(o *Options, uses *vocabulary) (names []string) {
	if o.web == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(webGlobals)) {
		byName := uses.global && (uses.computed || uses.names[name])
		if uses.variables[name] || byName || uses.names["require"] && o.modulesUse(name) {
			names = append(names, name)
		}
	}
	return names
}

// modulesUse reports whether a module of the operator uses a global.
func (o *Options) modulesUse(name string) bool {
	for _, module := range o.Modules {
		if module.mentions[name] {
			return true
		}
	}
	return false
}

// send(request, done) sends a request and returns the id of the call. done(error, answer) is called
// later, with one of both.
func (r *run) send(call goja.FunctionCall) goja.Value {
	request := call.Argument(0).ToObject(r.rt)
	done, ok := goja.AssertFunction(call.Argument(1))
	if !ok {
		panic(r.rt.NewTypeError("a request needs a function"))
	}
	text := func(name string) string {
		value := member(request, name)
		if goja.IsUndefined(value) {
			return ""
		}
		return r.limited(value.String())
	}
	id := r.startCall(webclient.Request{
		Method:     text("method"),
		URL:        text("url"),
		OldURL:     member(request, "oldURL").ToBoolean(),
		Header:     r.header(member(request, "headers")),
		Body:       r.requestBody(member(request, "body")),
		Timeout:    milliseconds(member(request, "timeout")),
		Redirects:  int(min(max(member(request, "redirects").ToInteger(), 0), maxDepth)),
		RefuseMore: member(request, "refuseMore").ToBoolean(),
		ToGet:      member(request, "redirectsAsGet").ToBoolean(),
	}, func(answer *webclient.Response, err error) {
		if err != nil {
			r.must(done(goja.Undefined(), r.webError(err)))
			return
		}
		r.must(done(goja.Undefined(), goja.Null(), r.answer(answer)))
	})
	return r.rt.ToValue(id)
}

// header reads a list of names and values.
func (r *run) header(value goja.Value) http.Header {
	list, ok := value.(*goja.Object)
	if !ok {
		return nil
	}
	header := http.Header{}
	length := lengthOf(list)
	r.atMost(length, maxDepth, "the headers")
	for i := int64(0); i+1 < length; i += 2 {
		name := list.Get(r.rt.ToValue(i).String())
		content := list.Get(r.rt.ToValue(i + 1).String())
		if name != nil && content != nil {
			header.Add(r.limited(name.String()), r.limited(content.String()))
		}
	}
	return header
}

// requestBody reads a body: bytes, a text or nothing.
func (r *run) requestBody(value goja.Value) []byte {
	if goja.IsUndefined(value) || goja.IsNull(value) {
		return nil
	}
	switch body := value.Export().(type) {
	case goja.ArrayBuffer:
		return slices.Clone(body.Bytes())
	case []byte: // a typed array
		return slices.Clone(body)
	}
	return []byte(r.limited(value.String()))
}

// milliseconds reads a limit in time. It is zero, no limit, for anything but a positive number.
func milliseconds(value goja.Value) time.Duration {
	number := value.ToFloat()
	if !(number > 0) || math.IsInf(number, 0) {
		return 0
	}
	return time.Duration(min(number, math.MaxInt32) * float64(time.Millisecond))
}

// webError makes the properties of an error. JavaScript makes the error of its module from them.
func (r *run) webError(err error) *goja.Object {
	failure, ok := err.(*webclient.Error)
	if !ok { // the rule ends, so it does not see this
		failure = &webclient.Error{Code: "ECANCELED", Text: "the call was cancelled"}
	}
	made := r.rt.NewObject()
	_ = made.Set("code", failure.Code)
	_ = made.Set("message", failure.Text)
	_ = made.Set("host", failure.Host)
	_ = made.Set("connect", failure.Connecting)
	if failure.Syscall != "" {
		_ = made.Set("syscall", failure.Syscall)
	}
	return made
}

// answer makes the object of an answer.
func (r *run) answer(a *webclient.Response) *goja.Object {
	made := r.rt.NewObject()
	_ = made.Set("status", a.Status)
	_ = made.Set("statusText", a.StatusText)
	_ = made.Set("url", a.URL)
	_ = made.Set("redirected", a.Redirected)
	_ = made.Set("body", r.rt.NewArrayBuffer(a.Body))
	headers := r.rt.NewObject()
	for _, name := range slices.Sorted(maps.Keys(a.Header)) {
		r.define(headers, strings.ToLower(name), r.headerValue(name, a.Header[name]))
	}
	_ = made.Set("headers", headers)
	return made
}

// single are headers of which Node keeps the first value only.
var single = map[string]bool{
	"Age": true, "Authorization": true, "Content-Length": true, "Content-Type": true,
	"Etag": true, "Expires": true, "From": true, "Host": true, "If-Modified-Since": true,
	"If-Unmodified-Since": true, "Last-Modified": true, "Location": true, "Max-Forwards": true,
	"Proxy-Authorization": true, "Referer": true, "Retry-After": true, "Server": true,
	"User-Agent": true,
}

// headerValue joins the values of a header as Node does.
func (r *run) headerValue(name string, values []string) goja.Value {
	if name == "Set-Cookie" {
		list := make([]any, len(values))
		for i, value := range values {
			list[i] = value
		}
		return r.rt.NewArray(list...)
	}
	if single[name] {
		return r.rt.ToValue(values[0])
	}
	return r.rt.ToValue(strings.Join(values, ", "))
}

// dropCall(id) cancels a call.
func (r *run) dropCall(call goja.FunctionCall) goja.Value {
	if r.calls != nil {
		r.calls.drop(call.Argument(0).ToInteger())
	}
	return goja.Undefined()
}

// textOfBytes(bytes) reads UTF-8, without a byte order mark. textOfBytes(bytes, true) keeps it.
func (r *run) textOfBytes(call goja.FunctionCall) goja.Value {
	buffer, _ := call.Argument(0).Export().(goja.ArrayBuffer)
	text := node.DecodeUTF8(buffer.Bytes())
	if !call.Argument(1).ToBoolean() {
		text = strings.TrimPrefix(text, "\ufeff")
	}
	return r.rt.ToValue(text)
}

// bytesOfText(text) returns the ArrayBuffer of a text in UTF-8.
func (r *run) bytesOfText(call goja.FunctionCall) goja.Value {
	text := r.limited(call.Argument(0).String())
	return r.rt.ToValue(r.rt.NewArrayBuffer([]byte(text)))
}

// base64(text) returns a text's UTF-8 in base64.
func (r *run) base64(call goja.FunctionCall) goja.Value {
	text := r.limited(call.Argument(0).String())
	return r.rt.ToValue(base64.StdEncoding.EncodeToString([]byte(text)))
}

// unescape(text) decodes a part of a query. A text that cannot be decoded stays as it is.
func (r *run) unescape(call goja.FunctionCall) goja.Value {
	text := r.limited(call.Argument(0).String())
	if plain, err := url.QueryUnescape(text); err == nil {
		text = plain
	}
	return r.rt.ToValue(text)
}

// origin(url) returns scheme, host and port of a URL, or "" if it is none. The rest of a URL can
// hold secrets.
func (r *run) origin(call goja.FunctionCall) goja.Value {
	parsed, err := node.ParseURL(r.limited(call.Argument(0).String()), nil)
	if err != nil {
		return r.rt.ToValue("")
	}
	return r.rt.ToValue(parsed.Origin())
}

// stringifyJSON(value) is JSON.stringify within the limits of a rule. The guards of JSON would not
// be enough: they are missing if the rule does not mention JSON.
func (r *run) stringifyJSON(call goja.FunctionCall) goja.Value {
	json := r.rt.GlobalObject().Get("JSON").ToObject(r.rt)
	stringify, _ := goja.AssertFunction(json.Get("stringify"))
	counting := r.rt.ToValue(r.countJSON(nil))
	return r.must(stringify(goja.Undefined(), call.Argument(0), counting))
}
