// Command kubeconfig answers what Flux makes of a kubeconfig: the functions it calls are Flux's own.
//
// The same code is built twice, against github.com/fluxcd/pkg/runtime v0.110.3 (go.mod; kustomize-controller 1.9.5 and
// newer) and v0.110.1 (older.mod, with the build tag "older"; up to 1.9.4). The one function whose name differs between
// them is in load_newer.go and load_older.go.
//
// Requests and answers are one line of JSON each, in the same order:
//
//	{"data":{"value":"…", …},"key":"…"}  the Secret's content and spec.kubeConfig.secretRef.key
//	{"error":"…"} or {"host":"…", …}
//
// With the argument "certificates" it writes certificates and keys to build such requests with.
//
// An error is whatever Flux meets before anything goes over the network: while it reads the Secret, builds its clients,
// or forms the first request.
package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/fluxcd/pkg/apis/meta"
	"github.com/fluxcd/pkg/runtime/client"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	runtimeclient "sigs.k8s.io/controller-runtime/pkg/client"
)

type request struct {
	Data map[string]string `json:"data"`
	Key  string            `json:"key"`
}

type answer struct {
	Error                string `json:"error,omitempty"`
	Host                 string `json:"host"`
	CertificateAuthority string `json:"certificateAuthority"`
	ClientCertificate    string `json:"clientCertificate"`
	ClientKey            string `json:"clientKey"`
	Token                string `json:"token"`
	Username             string `json:"username"`
	Password             string `json:"password"`
	ServerName           string `json:"serverName"`
	Proxy                string `json:"proxy"`
	DisableCompression   bool   `json:"disableCompression"`
	Insecure             bool   `json:"insecure"`
	Exec                 bool   `json:"exec"`
	Impersonates         bool   `json:"impersonates"`
}

// secretReader is a cluster that holds one Secret.
type secretReader struct {
	runtimeclient.Client
	data map[string][]byte
}

func (r secretReader) Get(_ context.Context, _ runtimeclient.ObjectKey, object runtimeclient.Object, _ ...runtimeclient.GetOption) error {
	object.(*corev1.Secret).Data = r.data
	return nil
}

func main() {
	run := answerAll
	if len(os.Args) == 2 && os.Args[1] == "certificates" {
		run = func() error { return writeCertificates(os.Stdout) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func answerAll() error {
	// A context that has ended stops every request where it would reach for the network.
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	requests := json.NewDecoder(bufio.NewReader(os.Stdin))
	output := bufio.NewWriter(os.Stdout)
	answers := json.NewEncoder(output)
	for requests.More() {
		var asked request
		if err := requests.Decode(&asked); err != nil {
			return err
		}
		answered, err := examine(ended, asked)
		if err != nil {
			answered = answer{Error: err.Error()}
		}
		if err := answers.Encode(answered); err != nil {
			return err
		}
	}
	return output.Flush()
}

func examine(ended context.Context, asked request) (answer, error) {
	data := map[string][]byte{}
	for key, value := range asked.Data {
		data[key] = []byte(value)
	}
	reference := meta.KubeConfigReference{SecretRef: &meta.SecretKeyReference{Name: "kubeconfig", Key: asked.Key}}
	impersonator := client.NewImpersonator(secretReader{data: data},
		client.WithKubeConfig(&reference, client.KubeConfigOptions{}, "default", nil))
	if _, _, err := impersonator.GetClient(ended); err != nil {
		return answer{}, err
	}

	// The impersonator keeps its configuration to itself, so it is made once more with the functions it calls.
	loaded, err := load([]byte(chosen(asked)))
	if err != nil {
		return answer{}, fmt.Errorf("the impersonator accepts what the loader refuses: %w", err)
	}
	config := client.KubeConfig(ended, loaded, client.KubeConfigOptions{})
	if err := firstRequest(ended, config); err != nil {
		return answer{}, err
	}
	return describe(config)
}

func chosen(asked request) string {
	if asked.Key != "" {
		return asked.Data[asked.Key]
	}
	if value, found := asked.Data["value"]; found {
		return value
	}
	return asked.Data["value.yaml"]
}

func firstRequest(ended context.Context, config *rest.Config) error {
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return err
	}
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return err
	}
	get, err := http.NewRequestWithContext(ended, http.MethodGet, base.String(), nil)
	if err != nil {
		return err
	}
	if _, err = httpClient.Do(get); errors.Is(err, context.Canceled) {
		return nil
	}
	return fmt.Errorf("the first request: %w", err)
}

func describe(config *rest.Config) (answer, error) {
	answered := answer{
		Host:                 config.Host,
		CertificateAuthority: hash(config.CAData),
		ClientCertificate:    hash(config.CertData),
		ClientKey:            hash(config.KeyData),
		Token:                hash([]byte(config.BearerToken)),
		Username:             config.Username,
		Password:             hash([]byte(config.Password)),
		ServerName:           config.ServerName,
		DisableCompression:   config.DisableCompression,
		Insecure:             config.Insecure,
		Exec:                 config.ExecProvider != nil || config.AuthProvider != nil,
		Impersonates:         config.Impersonate.UserName != "",
	}
	if config.Proxy != nil {
		proxy, err := config.Proxy(nil)
		if err != nil {
			return answer{}, err
		}
		answered.Proxy = proxy.String()
	}
	return answered, nil
}

func hash(content []byte) string {
	if len(content) == 0 {
		return ""
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
