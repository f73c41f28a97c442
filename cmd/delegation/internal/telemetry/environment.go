package telemetry

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
)

// otlpSettings are what the OTEL_… variables turn on. The SDK reads everything else in them.
type otlpSettings struct {
	traces, metrics bool
	// callers tells whether the traceparent of requests is read.
	callers bool
}

// readEnvironment reads and checks the variables of OpenTelemetry. OTLP is off unless an exporter
// or an endpoint is set. The error names each wrong value, which the SDK would only log and then
// ignore. Values that no exporter reads are not checked, because platforms set them for all of
// their containers.
func readEnvironment(environment []string) (otlpSettings, error) {
	set := variables{}
	for _, entry := range environment {
		name, value, _ := strings.Cut(entry, "=")
		if value = strings.TrimSpace(value); strings.HasPrefix(name, "OTEL_") && value != "" {
			set[name] = value
		}
	}
	if err := set.check("OTEL_SDK_DISABLED", oneOf("true", "false")); err != nil {
		return otlpSettings{}, err
	}
	if strings.EqualFold(set["OTEL_SDK_DISABLED"], "true") {
		return otlpSettings{}, nil
	}
	err := errors.Join(
		set.check("OTEL_TRACES_EXPORTER", oneOf("otlp", "none")),
		set.check("OTEL_METRICS_EXPORTER", metricsExporter))
	if err != nil {
		return otlpSettings{}, err
	}
	settings := otlpSettings{
		traces:  set.turnOn("TRACES"),
		metrics: set.turnOn("METRICS"),
		callers: set.readCallers(),
	}
	if !settings.traces && !settings.metrics {
		return settings, nil
	}
	return settings, set.checkAll()
}

// variables are the OpenTelemetry variables that are set, by name.
type variables map[string]string

// turnOn tells whether a signal, TRACES or METRICS, is sent.
func (v variables) turnOn(signal string) bool {
	switch strings.ToLower(v["OTEL_"+signal+"_EXPORTER"]) {
	case "otlp":
		return true
	case "none":
		return false
	}
	return v["OTEL_EXPORTER_OTLP_ENDPOINT"] != "" ||
		v["OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT"] != ""
}

// readCallers tells whether OTEL_PROPAGATORS has tracecontext, as it does by default.
func (v variables) readCallers() bool {
	list, set := v["OTEL_PROPAGATORS"]
	return !set || slices.Contains(splitList(list), "tracecontext")
}

// validity says what is wrong with a value; nil: nothing.
type validity func(value string) error

// check checks one variable, if it is set.
func (v variables) check(name string, valid validity) error {
	value, set := v[name]
	if !set {
		return nil
	}
	if err := valid(value); err != nil {
		return fmt.Errorf("environment variable %s: %w", name, err)
	}
	return nil
}

// checkAll checks all variables that the SDK and the exporters read.
func (v variables) checkAll() error {
	var problems []error
	for _, row := range readBySDK {
		problems = append(problems, v.check(row.name, row.valid))
	}
	for _, signal := range []string{"", "TRACES_", "METRICS_"} {
		prefix := "OTEL_EXPORTER_OTLP_" + signal
		for _, row := range readByExporters {
			problems = append(problems, v.check(prefix+row.name, row.valid))
		}
		problems = append(problems, v.checkClientCertificate(prefix))
	}
	return errors.Join(problems...)
}

type row struct {
	name  string
	valid validity
}

// readBySDK are the variables of the SDK itself.
var readBySDK = []row{
	{"OTEL_PROPAGATORS", listOf("tracecontext", "baggage", "none")},
	{"OTEL_RESOURCE_ATTRIBUTES", pairs},
	{"OTEL_TRACES_SAMPLER", oneOf("always_on", "always_off", "traceidratio",
		"parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio")},
	{"OTEL_TRACES_SAMPLER_ARG", ratio},
	{"OTEL_METRICS_EXEMPLAR_FILTER", oneOf("always_on", "always_off", "trace_based")},
	{"OTEL_METRIC_EXPORT_INTERVAL", milliseconds},
	{"OTEL_METRIC_EXPORT_TIMEOUT", milliseconds},
	{"OTEL_BSP_SCHEDULE_DELAY", milliseconds},
	{"OTEL_BSP_EXPORT_TIMEOUT", milliseconds},
	{"OTEL_BSP_MAX_QUEUE_SIZE", positive},
	{"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", positive},
	{"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", positive},
	{"OTEL_ATTRIBUTE_COUNT_LIMIT", positive},
	{"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", positive},
	{"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", positive},
	{"OTEL_SPAN_EVENT_COUNT_LIMIT", positive},
	{"OTEL_SPAN_LINK_COUNT_LIMIT", positive},
	{"OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", positive},
	{"OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", positive},
}

// readByExporters are the suffixes of variables that begin with OTEL_EXPORTER_OTLP_, for all
// signals or for one.
var readByExporters = []row{
	{"ENDPOINT", endpoint},
	{"PROTOCOL", protocol},
	{"HEADERS", headers},
	{"COMPRESSION", oneOf("gzip", "none")},
	{"TIMEOUT", milliseconds},
	{"INSECURE", oneOf("true", "false")},
	{"CERTIFICATE", certificates},
	{"TEMPORALITY_PREFERENCE", oneOf("cumulative", "delta", "lowmemory")},
	{"DEFAULT_HISTOGRAM_AGGREGATION",
		oneOf("explicit_bucket_histogram", "base2_exponential_bucket_histogram")},
}

func oneOf(words ...string) validity {
	return func(value string) error {
		if slices.Contains(words, strings.ToLower(value)) {
			return nil
		}
		return fmt.Errorf("%.40q is not one of %s", value, strings.Join(words, ", "))
	}
}

func listOf(words ...string) validity {
	return func(value string) error {
		for _, word := range splitList(value) {
			if err := oneOf(words...)(word); err != nil {
				return err
			}
		}
		return nil
	}
}

func splitList(value string) []string {
	words := strings.Split(value, ",")
	for i := range words {
		words[i] = strings.TrimSpace(words[i])
	}
	return words
}

func metricsExporter(value string) error {
	if strings.EqualFold(value, "prometheus") {
		return errors.New(`"prometheus" is not supported here: ` +
			"set metrics_listen in the configuration, and remove the variable")
	}
	return oneOf("otlp", "none")(value)
}

func protocol(value string) error {
	if value == "http/protobuf" {
		return nil
	}
	return fmt.Errorf("%.40q is not supported: set it to http/protobuf, and the endpoint to the "+
		"collector's port for HTTP, usually 4318", value)
}

// endpoint checks a URL. The error does not quote it, because it may contain a password.
func endpoint(value string) error {
	u, err := url.Parse(value)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return errors.New("is not a URL such as http://collector.example.com:4318")
	case u.User != nil:
		return errors.New("must not have a user or a password, which would not be sent: " +
			"set OTEL_EXPORTER_OTLP_HEADERS to authorization=Basic%20…")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("must not have a query or a fragment, which would not be sent: " +
			"remove it")
	}
	return nil
}

// headers checks a list of headers. The error does not quote it, because it may contain a secret.
func headers(value string) error {
	for i, pair := range strings.Split(value, ",") {
		name, content, found := strings.Cut(pair, "=")
		if _, err := url.PathUnescape(content); !found || !isToken(strings.TrimSpace(name)) ||
			err != nil {
			return fmt.Errorf("its header %d is not name=value, such as "+
				"authorization=Bearer%%20…: encode blanks and commas as in a URL", i+1)
		}
	}
	return nil
}

// isToken tells whether a text can be the name of a header (RFC 9110, 5.6.2).
func isToken(text string) bool {
	odd := func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	}
	return text != "" && !strings.ContainsFunc(text, odd)
}

func pairs(value string) error {
	for i, pair := range strings.Split(value, ",") {
		name, content, found := strings.Cut(pair, "=")
		if _, err := url.PathUnescape(content); !found || strings.TrimSpace(name) == "" ||
			err != nil {
			return fmt.Errorf("its attribute %d is not name=value, such as "+
				"deployment.environment.name=production", i+1)
		}
	}
	return nil
}

func milliseconds(value string) error {
	if positive(value) != nil {
		return fmt.Errorf("%.40q is not a number of milliseconds, such as 10000", value)
	}
	return nil
}

func positive(value string) error {
	if n, err := strconv.Atoi(value); err != nil || n <= 0 {
		return fmt.Errorf("%.40q is not a whole number above 0", value)
	}
	return nil
}

func ratio(value string) error {
	if n, err := strconv.ParseFloat(value, 64); err != nil || !(n >= 0 && n <= 1) {
		return fmt.Errorf("%.40q is not a number from 0 to 1, such as 0.1", value)
	}
	return nil
}

func certificates(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("%w: correct the path", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(text) {
		return fmt.Errorf("%s contains no certificate in PEM", file)
	}
	return nil
}

// checkClientCertificate checks a certificate with its key. If one of them is missing, the SDK
// would ignore the other.
func (v variables) checkClientCertificate(prefix string) error {
	certificate := v[prefix+"CLIENT_CERTIFICATE"]
	key := v[prefix+"CLIENT_KEY"]
	if certificate == "" && key == "" {
		return nil
	}
	names := prefix + "CLIENT_CERTIFICATE and " + prefix + "CLIENT_KEY"
	if certificate == "" || key == "" {
		return fmt.Errorf("environment variables %s: set both or neither", names)
	}
	if _, err := tls.LoadX509KeyPair(certificate, key); err != nil {
		return fmt.Errorf("environment variables %s: %w: name two files in PEM that belong "+
			"together", names, err)
	}
	return nil
}
