// Command dex runs Dex on loopback until standard input ends, with everything in memory. Users sign
// in by its own login form.
//
//	stdout  the issuer's URL, and then a line for each line of stdin that is done
//	stdin   "rotate": a new key replaces that of Dex, at the same issuer
//	        "clock SECONDS": Dex's clock is that much ahead of the machine's
//
// The client other-app may ask for tokens for photo-app. The user is alice@example.com with the
// password "password".
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	gosundheit "github.com/AppsFlyer/go-sundheit"
	"github.com/dexidp/dex/server"
	"github.com/dexidp/dex/storage"
	"github.com/dexidp/dex/storage/memory"
	"golang.org/x/crypto/bcrypt"
)

// ahead is how far Dex's clock is ahead.
var ahead atomic.Int64

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	issuer := "http://" + listener.Addr().String() + "/dex"
	var current atomic.Pointer[server.Server]
	current.Store(newServer(issuer))
	go func() {
		serve := func(w http.ResponseWriter, r *http.Request) { current.Load().ServeHTTP(w, r) }
		log.Fatal(http.Serve(listener, http.HandlerFunc(serve)))
	}()
	fmt.Println(issuer)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); fmt.Println(lines.Text()) {
		command, value, _ := strings.Cut(lines.Text(), " ")
		switch command {
		case "rotate":
			current.Store(newServer(issuer))
		case "clock":
			seconds, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				log.Fatal(err)
			}
			ahead.Store(seconds)
		default:
			log.Fatalf("unknown command %q", command)
		}
	}
}

// newServer returns Dex with a key and a storage of its own.
func newServer(issuer string) *server.Server {
	silent := slog.New(slog.NewTextHandler(io.Discard, nil))
	hash, err := bcrypt.GenerateFromPassword([]byte("password"), bcrypt.DefaultCost)
	if err != nil {
		log.Fatal(err)
	}
	client := storage.Client{
		ID:           "photo-app",
		Name:         "Photos",
		Public:       true,
		RedirectURIs: []string{"http://127.0.0.1/callback"},
		TrustedPeers: []string{"other-app"},
	}
	other := client
	other.ID = "other-app"
	other.TrustedPeers = nil
	alice := storage.Password{
		Email:    "alice@example.com",
		Username: "alice",
		UserID:   "08a8684b-db88-4b73-90a9-3cd1661f5466",
		Hash:     hash,
	}
	local := storage.Connector{
		ID:   server.LocalConnector,
		Type: server.LocalConnector,
		Name: "Email",
	}
	all := memory.New(silent)
	all = storage.WithStaticClients(all, []storage.Client{client, other})
	all = storage.WithStaticPasswords(all, []storage.Password{alice}, silent)
	all = storage.WithStaticConnectors(all, []storage.Connector{local})
	refreshing, err := server.NewRefreshTokenPolicy(silent, false, "", "", "")
	if err != nil {
		log.Fatal(err)
	}
	made, err := server.NewServer(context.Background(), server.Config{
		Issuer:  issuer,
		Storage: all,
		Logger:  silent,
		Now: func() time.Time {
			return time.Now().Add(time.Duration(ahead.Load()) * time.Second)
		},
		HealthChecker:      gosundheit.New(),
		RefreshTokenPolicy: refreshing,
	})
	if err != nil {
		log.Fatal(err)
	}
	return made
}
