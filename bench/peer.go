package main

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// handWritten is the service that one would write by hand, with net/http, golang-jwt and slog. It
// gives the same answers as delegation's /credentials. It has no rules, and checks less.
type handWritten struct {
	world  *world
	parser *jwt.Parser
	log    *slog.Logger
	// stsURL is the STS from which each request gets new credentials. Empty: credentials are cached
	// by subject.
	stsURL string
	client *http.Client
	kept   sync.Map // by subject
}

type awsCredentials struct {
	AccessKeyId     string
	SecretAccessKey string
	SessionToken    string
	Expiration      string
}

// servePeer runs the hand-written service until it is interrupted.
func servePeer(w *world, address, stsURL string) error {
	h := &handWritten{
		world: w,
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{"RS256"}),
			jwt.WithIssuer(issuerURL),
			jwt.WithAudience(clientID),
			jwt.WithExpirationRequired(),
			jwt.WithIssuedAt(),
			jwt.WithLeeway(time.Minute),
		),
		log:    slog.New(slog.NewJSONHandler(os.Stderr, nil)),
		stsURL: stsURL,
		client: &http.Client{
			Transport: &http.Transport{MaxIdleConnsPerHost: 256},
			Timeout:   10 * time.Second,
		},
	}
	h.kept.Store(subject, &awsCredentials{
		AccessKeyId:     accessKey,
		SecretAccessKey: secretKey,
		SessionToken:    sessionToken,
		Expiration:      expiration.Format(time.RFC3339),
	})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /live", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /credentials", h.credentials)
	server := &http.Server{
		Addr:              address,
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	go func() {
		<-ctx.Done()
		_ = server.Close() // no one needs requests under way
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (h *handWritten) credentials(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	claims := jwt.MapClaims{}
	if _, err := h.parser.ParseWithClaims(token, claims, h.key); err != nil {
		http.Error(w, "the token is not valid", http.StatusUnauthorized)
		return
	}
	if verified, _ := claims["email_verified"].(bool); !verified {
		http.Error(w, "the email address is not verified", http.StatusForbidden)
		return
	}
	sub, _ := claims["sub"].(string)
	c, err := h.obtain(r.Context(), sub, claims)
	if err != nil {
		h.log.Error("failed", slog.String("sub", sub), slog.String("error", err.Error()))
		http.Error(w, "AWS did not answer", http.StatusBadGateway)
		return
	}
	body, err := json.Marshal(map[string]string{
		"AccessKeyId":     c.AccessKeyId,
		"SecretAccessKey": c.SecretAccessKey,
		"Token":           c.SessionToken,
		"Expiration":      c.Expiration,
		"AccountId":       "123456789012",
	})
	if err != nil {
		http.Error(w, "the answer cannot be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(body)
	h.log.Info("exchanged",
		slog.String("sub", sub),
		slog.String("client", clientID),
		slog.String("role", role),
		slog.String("access_key_id", c.AccessKeyId),
		slog.Duration("took", time.Since(began)),
	)
}

func (h *handWritten) key(token *jwt.Token) (any, error) {
	if token.Header["kid"] != keyID {
		return nil, errors.New("unknown kid")
	}
	return &h.world.issuer.PublicKey, nil
}

// obtain returns cached credentials, or new ones.
func (h *handWritten) obtain(
	ctx context.Context, sub string, claims jwt.MapClaims,
) (*awsCredentials, error) {
	if h.stsURL == "" {
		kept, ok := h.kept.Load(sub)
		if !ok {
			return nil, errors.New("nothing is remembered")
		}
		c, _ := kept.(*awsCredentials) // nothing else is stored
		return c, nil
	}
	address, _ := claims["email"].(string)
	response, err := writeCrewjam(
		h.world.key.Signer, h.world.key.Certificate, sub, address, responseTags)
	if err != nil {
		return nil, err
	}
	return h.redeem(ctx, response)
}

// redeem calls STS by hand.
func (h *handWritten) redeem(ctx context.Context, response string) (*awsCredentials, error) {
	form := url.Values{
		"Action":          {"AssumeRoleWithSAML"},
		"Version":         {"2011-06-15"},
		"RoleArn":         {role},
		"PrincipalArn":    {principal},
		"DurationSeconds": {"3600"},
		"SAMLAssertion":   {response},
	}
	request, err := http.NewRequestWithContext(
		ctx, http.MethodPost, h.stsURL, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", formType)
	answer, err := h.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("STS answered %d", answer.StatusCode)
	}
	var read struct {
		Result struct{ Credentials awsCredentials } `xml:"AssumeRoleWithSAMLResult"`
	}
	if err := xml.Unmarshal(text, &read); err != nil {
		return nil, err
	}
	return &read.Result.Credentials, nil
}
