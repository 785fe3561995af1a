package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/caarlos0/env/v11"
	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/sdk/trace"

	"sparki.app/integrations/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/all"
	"sparki.app/integrations/pubsub"
	"sparki.app/integrations/server"
	"sparki.app/integrations/server/gql"
	"sparki.app/integrations/tracing/export"
)

// config is the environment; flags of the same meaning win. .env.example says what each is for.
type config struct {
	ListenAddr            string   `env:"LISTEN_ADDR" envDefault:"127.0.0.1:8080"`
	PublicAPIURL          string   `env:"PUBLIC_API_URL"`
	DatabaseURL           string   `env:"DATABASE_URL"`
	RedisURL              string   `env:"REDIS_URL"`
	SecretKeys            string   `env:"SECRET_KEYS"`
	OIDCIssuer            string   `env:"OIDC_ISSUER"`
	OIDCAudience          string   `env:"OIDC_AUDIENCE"`
	AllowedOrigins        []string `env:"ALLOWED_ORIGINS"`
	TrustedProxies        []string `env:"TRUSTED_PROXIES"`
	CRMHosts              []string `env:"CRM_HOSTS" envDefault:"*.realworks.nl,*.kolibri24.com"`
	AllowPrivateUpstreams bool     `env:"ALLOW_PRIVATE_UPSTREAMS" envDefault:"false"`
	MediaURL              string   `env:"MEDIA_URL"`
	CRMRateLimit          float64  `env:"CRM_RATE_LIMIT" envDefault:"50"`
	MetricsAddr           string   `env:"METRICS_ADDR"`
	APIRateLimit          float64  `env:"API_RATE_LIMIT" envDefault:"50"`
	MaxStreams            int      `env:"MAX_STREAMS" envDefault:"2000"`
	MaxStreamsPerToken    int      `env:"MAX_STREAMS_PER_TOKEN" envDefault:"20"`
	OperationsFile        string   `env:"OPERATIONS_FILE"`
	TracesEndpoint        string   `env:"OTEL_EXPORTER_OTLP_ENDPOINT"`
	LogLevel              string   `env:"LOG_LEVEL" envDefault:"info"`
	LogFormat             string   `env:"LOG_FORMAT" envDefault:"text"`

	command     string // that was called
	keys        *integrations.Keys
	proxies     []netip.Prefix // TrustedProxies
	logLevel    slog.Level
	redisPrefix string             // keeps our keys on a shared Redis apart from others'
	operations  []string           // of OPERATIONS_FILE; nil to serve all
	limits      gql.Limits         // besides those above; defaults but in tests
	tracer      pgx.QueryTracer    // sees every SQL statement; nil but in tests
	exporter    trace.SpanExporter // takes the traces in the collector's place; nil but in tests
	providers   []providers.Provider
}

// maxRate is far above what any CRM takes.
const maxRate = 1e6

// crmHost is a host name, or every host below one.
var crmHost = regexp.MustCompile(`^(\*\.)?([a-zA-Z0-9-]+\.)+[a-zA-Z0-9-]+$`)

const defaultListenAddr = "127.0.0.1:8080"

// The variables that a command cannot do without.
var (
	needsDatabase = []string{"DATABASE_URL"}
	needsKeys     = []string{"DATABASE_URL", "SECRET_KEYS"}
	needsAll      = []string{"DATABASE_URL", "REDIS_URL", "SECRET_KEYS"}
)

// configure reads flags and environment. define adds the command's own flags; it may be nil.
func (call *invocation) configure(name string, required []string, define func(*flag.FlagSet)) (*config, error) {
	values := make(map[string]string, len(call.env))
	for k, v := range call.env {
		if v != "" { // an empty variable is one that is not set
			values[k] = v
		}
	}
	flags := flag.NewFlagSet("sparki "+name, flag.ContinueOnError)
	flags.SetOutput(call.stderr)
	for _, field := range reflect.VisibleFields(reflect.TypeFor[config]()) {
		if variable := field.Tag.Get("env"); variable != "" {
			flags.Func(strings.ReplaceAll(strings.ToLower(variable), "_", "-"), "see "+variable+" in .env.example", func(v string) error {
				values[variable] = v
				return nil
			})
		}
	}
	if define != nil {
		define(flags)
	}
	if err := flags.Parse(call.args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	for _, variable := range required {
		if values[variable] == "" {
			return nil, fmt.Errorf("%s is missing: set it in the environment, see .env.example", variable)
		}
	}
	c := &config{command: name, redisPrefix: "sparki:", providers: all.List()}
	if err := env.ParseWithOptions(c, env.Options{Environment: values}); err != nil {
		return nil, malformed(err)
	}
	return c, c.check()
}

// malformed names the variable and not its value, which may be a secret.
func malformed(err error) error {
	if parse, ok := errors.AsType[env.ParseError](err); ok {
		field, _ := reflect.TypeFor[config]().FieldByName(parse.Name)
		return fmt.Errorf("%s is malformed: want a %s", field.Tag.Get("env"), parse.Type)
	}
	return errors.New("the environment is malformed")
}

func (c *config) check() error {
	if !isAddress(c.ListenAddr) {
		return errors.New("LISTEN_ADDR is malformed: want host:port")
	}
	if c.MetricsAddr != "" && !isAddress(c.MetricsAddr) {
		return errors.New("METRICS_ADDR is malformed: want host:port")
	}
	if c.TracesEndpoint != "" {
		if err := export.Check(c.TracesEndpoint); err != nil {
			return fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT is malformed: %w", err)
		}
	}
	if c.PublicAPIURL == "" {
		c.PublicAPIURL = "http://" + c.ListenAddr
	}
	c.PublicAPIURL = strings.TrimRight(c.PublicAPIURL, "/")
	u, err := url.Parse(c.PublicAPIURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("PUBLIC_API_URL is malformed: want an absolute http(s) URL without credentials, query or fragment")
	}
	for _, host := range c.CRMHosts {
		if !crmHost.MatchString(host) {
			return errors.New("CRM_HOSTS is malformed: want a comma list of host names such as api.example.nl or *.example.nl")
		}
	}
	if c.RedisURL != "" {
		if _, err := pubsub.ParseURL(c.RedisURL); err != nil {
			return err
		}
	}
	if c.SecretKeys != "" {
		var err error
		if c.keys, err = integrations.ParseKeys(c.SecretKeys); err != nil {
			return fmt.Errorf("SECRET_KEYS is malformed: %w", err)
		}
	}
	if !(c.CRMRateLimit >= 0 && c.CRMRateLimit <= maxRate) { // so that NaN fails as well
		return errors.New("CRM_RATE_LIMIT is malformed: want calls a second, 0 for no limit")
	}
	if !(c.APIRateLimit >= 0 && c.APIRateLimit <= maxRate) {
		return errors.New("API_RATE_LIMIT is malformed: want operations a second, 0 for no limit")
	}
	if c.MaxStreams < 1 {
		return errors.New("MAX_STREAMS is malformed: want a number above 0")
	}
	if c.MaxStreamsPerToken < 1 {
		return errors.New("MAX_STREAMS_PER_TOKEN is malformed: want a number above 0")
	}
	if c.OperationsFile != "" {
		var err error
		if c.operations, err = readOperations(c.OperationsFile); err != nil {
			return fmt.Errorf("OPERATIONS_FILE: %w", err)
		}
	}
	if err := c.logLevel.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return errors.New("LOG_LEVEL is malformed: want debug, info, warn or error")
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		return errors.New("LOG_FORMAT is malformed: want text or json")
	}
	for _, origin := range c.AllowedOrigins {
		if u, err := url.Parse(origin); err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" {
			return errors.New("ALLOWED_ORIGINS is malformed: want a comma list of origins such as https://app.example.nl")
		}
	}
	for _, text := range c.TrustedProxies {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return errors.New("TRUSTED_PROXIES is malformed: want a comma list of networks such as 10.0.0.0/8 or 192.0.2.7/32")
		}
		c.proxies = append(c.proxies, prefix)
	}
	return c.checkOIDC()
}

// checkOIDC wants an issuer that nobody can stand in for: https, but for one on this machine.
func (c *config) checkOIDC() error {
	if c.OIDCIssuer == "" && c.OIDCAudience == "" {
		return nil
	}
	u, err := url.Parse(c.OIDCIssuer)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
		return errors.New("OIDC_ISSUER is malformed: want the https URL of an identity provider")
	}
	if c.OIDCAudience == "" {
		return errors.New("OIDC_AUDIENCE is missing: it names who the issuer's tokens are for")
	}
	return nil
}

// isAddress says whether one can listen on a text: host:port, the host may be empty.
func isAddress(s string) bool {
	_, port, err := net.SplitHostPort(s)
	_, bad := strconv.ParseUint(port, 10, 16)
	return err == nil && bad == nil
}

// readOperations reads the only documents that may be served: a JSON object whose values are documents,
// as Relay's compiler writes them. The names are free.
func readOperations(path string) ([]string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.New("the file cannot be read")
	}
	var byName map[string]string
	if err := json.Unmarshal(content, &byName); err != nil || len(byName) == 0 {
		return nil, errors.New("want a JSON object with at least one document, each under a name")
	}
	operations := make([]string, 0, len(byName))
	for name, document := range byName {
		if err := server.CheckOperation(document); err != nil {
			return nil, fmt.Errorf("%q is no operation of this API: %w", name, err)
		}
		operations = append(operations, document)
	}
	return operations, nil
}

// apiLimits bounds what one process has open, and one token of that: subscriptions ten times as many as
// the sockets that they come over.
func (c *config) apiLimits() gql.Limits {
	limits := c.limits
	limits.Streams, limits.CallerStreams, limits.Subscriptions = c.MaxStreams, c.MaxStreamsPerToken, 10*c.MaxStreamsPerToken
	return limits
}

func isLoopback(host string) bool {
	at, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && at.IsLoopback()
}

// logger writes to stderr, so that stdout carries nothing but a command's result.
func (c *config) logger(call *invocation) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.logLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(call.stderr, options))
	}
	return slog.New(slog.NewTextHandler(call.stderr, options))
}
