// Package azure signs with a key of Azure Key Vault or of an Azure Managed HSM, through Microsoft's
// SDK. It finds credentials as the SDK's DefaultAzureCredential does.
package azure

import (
	"context"
	"crypto"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"

	"github.com/seed055b7978/delegation/signer/internal/answer"
	"github.com/seed055b7978/delegation/signer/internal/key"
)

const (
	form = "azurekms://VAULT.vault.azure.net/KEY or azurekms://VAULT.vault.azure.net/KEY/VERSION"

	retries    = 2
	retryDelay = 200 * time.Millisecond // the next one is about twice as long
	// maxRetryDelay is the longest pause: if Key Vault asks for more, there is no further attempt.
	maxRetryDelay = 2 * time.Second
	// tryTimeout leaves room for a second attempt within protocol.SignTimeout.
	tryTimeout = 8 * time.Second
)

// The hosts are those that Microsoft lists under "DNS suffixes for base URL":
// https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates
// Others are refused, because the access token is sent to them.
var uriForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A(?:azurekms://([a-z0-9-]{3,24}\.` + hosts + `)|` +
		`azurekeyvault://([a-z0-9-]{3,24}\.` + hosts + `)/keys)` +
		`/([0-9A-Za-z-]{1,127})(?:/([0-9a-f]{32}))?\z`)
})

const hosts = `(?:vault|managedhsm)\.(?:azure\.net|azure\.cn|usgovcloudapi\.net)`

var algorithms = map[crypto.Hash]azkeys.SignatureAlgorithm{
	crypto.SHA256: azkeys.SignatureAlgorithmRS256,
	crypto.SHA384: azkeys.SignatureAlgorithmRS384,
	crypto.SHA512: azkeys.SignatureAlgorithmRS512,
}

// Options are replaced in tests. Everywhere else, zero values are right.
type Options struct {
	// Transport sends all requests: to Key Vault, and for access tokens.
	Transport policy.Transporter
	// RetryDelay is the pause after the first attempt. Zero: 200 ms.
	RetryDelay time.Duration
	Log        *slog.Logger
}

type vaultKey struct {
	client  *azkeys.Client
	name    string
	version string
	id      azkeys.ID // including the version
	managed bool      // of a Managed HSM, which has its own roles
	public  *rsa.PublicKey
}

// Open finds the key and the credentials. If the URI has no version, it uses the current one for as
// long as the key is open. The certificate that belongs to the key does not change either.
func Open(ctx context.Context, uri string, o Options) (key.Key, error) {
	match := uriForm().FindStringSubmatch(uri)
	if match == nil {
		return nil, key.Permanent("write the URI as "+form, "the URI names no key of a Key Vault")
	}
	if o.RetryDelay == 0 {
		o.RetryDelay = retryDelay
	}
	host := match[1] + match[2] // one of them is empty
	client := azcore.ClientOptions{
		Cloud:     cloudOf(host),
		Transport: o.Transport,
		Retry: policy.RetryOptions{
			MaxRetries:    retries,
			RetryDelay:    o.RetryDelay,
			MaxRetryDelay: maxRetryDelay,
			TryTimeout:    tryTimeout,
		},
	}
	login := client
	login.PerRetryPolicies = []policy.Policy{noting{}}
	credential, err := azidentity.NewDefaultAzureCredential(
		&azidentity.DefaultAzureCredentialOptions{ClientOptions: login})
	if err != nil {
		return nil, key.Permanent(credentialsRemedy, "no credentials for Azure: %s",
			key.Short(err.Error()))
	}
	keys, err := azkeys.NewClient("https://"+host, tokens{credential},
		&azkeys.ClientOptions{ClientOptions: client})
	if err != nil {
		return nil, key.Permanent("write the URI as "+form, "%s", key.Short(err.Error()))
	}
	k := &vaultKey{client: keys, name: match[3], version: match[4]}
	k.managed = strings.Contains(host, ".managedhsm.")
	if err := k.readPublic(ctx); err != nil {
		return nil, err
	}
	if match[4] == "" {
		o.Log.Info("the URI has no version; the current one stays in use until the next start",
			"version", k.version)
	}
	return k, nil
}

// cloudOf is the cloud of a host, whose login the credentials need. It is empty if the environment
// names the login: the SDK reads AZURE_AUTHORITY_HOST only then.
func cloudOf(host string) cloud.Configuration {
	switch {
	case os.Getenv("AZURE_AUTHORITY_HOST") != "":
		return cloud.Configuration{}
	case strings.HasSuffix(host, ".azure.cn"):
		return cloud.AzureChina
	case strings.HasSuffix(host, ".usgovcloudapi.net"):
		return cloud.AzureGovernment
	}
	return cloud.AzurePublic
}

const credentialsRemedy = "give the service a managed identity or a workload identity, or set " +
	"AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET in its environment"

func (k *vaultKey) Public() *rsa.PublicKey { return k.public }

func (k *vaultKey) Close() {}

func (k *vaultKey) readPublic(ctx context.Context) error {
	answer, err := k.client.GetKey(ctx, k.name, k.version, nil)
	if err != nil {
		return k.failureOf(get, err)
	}
	web := answer.Key
	if web == nil || web.KID == nil || web.Kty == nil {
		return key.Temporary(again, "Key Vault answered without a key")
	}
	if *web.Kty != azkeys.KeyTypeRSA && *web.Kty != azkeys.KeyTypeRSAHSM {
		return key.Permanent("use an RSA key of at least 2048 bits", "the key has the type %s",
			key.Short(string(*web.Kty)))
	}
	if attributes := answer.Attributes; attributes != nil && attributes.Enabled != nil &&
		!*attributes.Enabled {
		return key.Permanent("enable this version: az keyvault key set-attributes --enabled true",
			"the key version is disabled")
	}
	if !slices.ContainsFunc(web.KeyOps, func(o *azkeys.KeyOperation) bool {
		return o != nil && *o == azkeys.KeyOperationSign
	}) {
		return key.Permanent("allow the operation: az keyvault key set-attributes "+
			"--ops sign verify", "the key is not for signing")
	}
	exponent := new(big.Int).SetBytes(web.E)
	if !exponent.IsInt64() || exponent.Int64() > 1<<31-1 {
		return key.Permanent("use another key", "the RSA key's exponent is too large")
	}
	public := &rsa.PublicKey{N: new(big.Int).SetBytes(web.N), E: int(exponent.Int64())}
	if err := key.CheckPublic(public); err != nil {
		return err
	}
	if web.KID.Name() != k.name || web.KID.Version() == "" ||
		k.version != "" && web.KID.Version() != k.version {
		return key.Temporary(again, "Key Vault answered with another key")
	}
	k.id = *web.KID
	k.version = web.KID.Version()
	k.public = public
	return nil
}

const again = "retry; if this lasts, check the network between the service and the vault"

// Sign lets Key Vault sign a digest.
func (k *vaultKey) Sign(ctx context.Context, hash crypto.Hash, digest []byte) ([]byte, error) {
	algorithm := algorithms[hash]
	answer, err := k.client.Sign(ctx, k.name, k.version, azkeys.SignParameters{
		Algorithm: &algorithm,
		Value:     digest,
	}, nil)
	switch {
	case err != nil:
		return nil, k.failureOf(sign, err)
	case answer.KID == nil || *answer.KID != k.id:
		return nil, key.Temporary(again, "Key Vault signed with another key")
	case len(answer.Result) != k.public.Size():
		return nil, key.Temporary(again, "Key Vault answered with a signature of %d bytes",
			len(answer.Result))
	}
	return answer.Result, nil
}

// tokens marks the errors of requests for access tokens. The same calls return them and all others.
type tokens struct{ credential azcore.TokenCredential }

type tokenError struct {
	error
	last *answer.Last // of the requests for the token
}

func (e tokenError) Unwrap() error { return e.error }

// NonRetriable stops the SDK's retries, because the credential has already made its own.
func (tokenError) NonRetriable() {}

func (t tokens) GetToken(
	ctx context.Context, o policy.TokenRequestOptions,
) (azcore.AccessToken, error) {
	last := new(answer.Last)
	token, err := t.credential.GetToken(context.WithValue(ctx, lastKey{}, last), o)
	if err != nil {
		return azcore.AccessToken{}, tokenError{err, last}
	}
	return token, nil
}

// noting notes each request for an access token in the Last of the call.
type noting struct{}

// lastKey is the key of a call's Last in its context.
type lastKey struct{}

// Do implements policy.Policy.
func (noting) Do(r *policy.Request) (*http.Response, error) {
	response, err := r.Next()
	last, ok := r.Raw().Context().Value(lastKey{}).(*answer.Last)
	if !ok {
		last = new(answer.Last)
	}
	return response, last.Note(response, err)
}

// permission is the permission that a call needs: in an access policy, and as an action of a role.
type permission struct{ policy, action string }

var (
	get  = permission{"get", "Microsoft.KeyVault/vaults/keys/read"}
	sign = permission{"sign", "Microsoft.KeyVault/vaults/keys/sign/action"}
)

func (k *vaultKey) failureOf(p permission, err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return key.Temporary(again, "no answer from Key Vault in time")
	}
	var token tokenError
	if errors.As(err, &token) {
		return tokenFailure(token)
	}
	var refused *azcore.ResponseError
	if errors.As(err, &refused) {
		return k.refusal(p, refused)
	}
	return key.Temporary("check DNS, the proxy and the firewall between the service and the "+
		"vault", "no answer from Key Vault: %s", answer.Missing(err))
}

var entraCode = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`AADSTS[0-9]+`) })

// tokenFailure makes the error for a call without an access token. Of an answer it has the status
// and Entra ID's code, because the rest can have tokens and name accounts.
func tokenFailure(err tokenError) error {
	status, text := err.last.Explain(err.error)
	var failed *azidentity.AuthenticationFailedError
	hasFailed := errors.As(err, &failed)
	var refused *http.Response
	if hasFailed && failed.RawResponse != nil {
		refused = failed.RawResponse
		status = refused.StatusCode
	}
	switch {
	case status == http.StatusTooManyRequests || status >= 500:
		return key.Temporary("wait until Entra ID works; https://azure.status.microsoft shows "+
			"outages", "no access token for Azure: Entra ID answered with %d", status)
	case refused != nil:
		body, _ := runtime.Payload(refused)
		return key.Permanent(credentialsRemedy+"; https://login.microsoftonline.com/error explains "+
			"codes", "no access token for Azure: Entra ID answered with %d %s", status,
			entraCode().Find(body))
	case status != 0:
		text = fmt.Sprintf("the token endpoint answered with %d, and no token of the expected form",
			status)
	}
	if hasFailed {
		return key.Temporary("check the network between the service and Entra ID",
			"no access token for Azure: %s", key.Short(text))
	}
	return key.Permanent(credentialsRemedy, "no credentials for Azure: %s", key.Short(text))
}

// refusal reads an error of Key Vault's:
// https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses.
func (k *vaultKey) refusal(p permission, refused *azcore.ResponseError) error {
	var answer struct {
		Error struct {
			Message string `json:"message"`
			Inner   struct {
				Code string `json:"code"`
			} `json:"innererror"`
		} `json:"error"`
	}
	if refused.RawResponse != nil {
		body, _ := runtime.Payload(refused.RawResponse)
		_ = json.Unmarshal(body, &answer) // proxies answer with other bodies
	}
	inner := answer.Error.Inner.Code
	said := "Key Vault answered with " + key.Short(strings.Join(strings.Fields(
		http.StatusText(refused.StatusCode)+" "+refused.ErrorCode+" "+inner), " "))
	if message := key.Short(answer.Error.Message); message != "" {
		said += ": " + message
	}
	switch {
	case refused.StatusCode == http.StatusTooManyRequests:
		return key.Throttled("spread the load over more vaults, or use a Managed HSM: "+
			"https://learn.microsoft.com/azure/key-vault/general/service-limits", "%s", said)
	case refused.StatusCode >= 500, refused.StatusCode == http.StatusRequestTimeout:
		return key.Temporary("wait; https://azure.status.microsoft shows outages", "%s", said)
	case refused.StatusCode == http.StatusUnauthorized:
		return key.Permanent(credentialsRemedy+"; use an identity of the vault's own tenant",
			"%s", said)
	case inner == "ForbiddenByFirewall":
		return key.Permanent("allow the service's address in the vault's network settings",
			"%s", said)
	case inner == "KeyDisabled", inner == "KeyExpired", inner == "KeyNotYetValid":
		return key.Permanent("enable this version and look at its dates, or use another one: "+
			"az keyvault key list-versions", "%s", said)
	case refused.StatusCode == http.StatusForbidden && k.managed:
		return key.Permanent("give the service's identity the local role Managed HSM Crypto User "+
			"on the key: az keyvault role assignment create", "%s", said)
	case refused.StatusCode == http.StatusForbidden:
		return key.Permanent("give the service's identity the role Key Vault Crypto User on the "+
			"key, which has "+p.action+", or in an access policy the key permission "+p.policy,
			"%s", said)
	case refused.StatusCode == http.StatusNotFound:
		return key.Permanent("correct the URI; az keyvault key list-versions shows the versions",
			"there is no such key or version: %s", said)
	}
	return key.Permanent("read what Key Vault said, and correct the key or the URI", "%s", said)
}
