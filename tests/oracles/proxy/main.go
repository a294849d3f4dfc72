// Answers which proxy a client of Kubernetes goes through: golang.org/x/net's httpproxy, which is net/http's, with what
// k8s.io/apimachinery adds to it; and client-go's reading of a kubeconfig's proxy-url.
package main

import (
	"encoding/json"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"

	"golang.org/x/net/http/httpproxy"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

type request struct {
	HTTP     string `json:"http"`
	HTTPS    string `json:"https"`
	No       string `json:"no"`
	Server   string `json:"server"`
	ProxyURL string `json:"proxyURL"`
}

type answer struct {
	Error    string `json:"error,omitempty"`
	Proxy    string `json:"proxy,omitempty"`
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty"`
}

var ports = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}

func describe(proxy *url.URL, err error) answer {
	if err != nil {
		return answer{Error: err.Error()}
	}
	if proxy == nil {
		return answer{}
	}
	port := proxy.Port()
	if port == "" {
		port = ports[proxy.Scheme]
	}
	password, _ := proxy.User.Password()
	return answer{
		Proxy:    proxy.Scheme + "://" + net.JoinHostPort(proxy.Hostname(), port),
		User:     proxy.User.Username(),
		Password: password,
	}
}

func ofEnvironment(request request) answer {
	configuration := httpproxy.Config{HTTPProxy: request.HTTP, HTTPSProxy: request.HTTPS, NoProxy: request.No}
	proxy := configuration.ProxyFunc()
	// It reads the environment itself.
	os.Setenv("NO_PROXY", request.No)
	server, err := url.Parse(request.Server)
	if err != nil {
		return answer{Error: err.Error()}
	}
	delegate := func(request *http.Request) (*url.URL, error) { return proxy(request.URL) }
	return describe(utilnet.NewProxierWithNoProxyCIDR(delegate)(&http.Request{URL: server}))
}

func ofKubeconfig(request request) answer {
	config := api.NewConfig()
	config.Clusters["c"] = &api.Cluster{Server: "https://prod.example", ProxyURL: request.ProxyURL}
	config.AuthInfos["c"] = &api.AuthInfo{}
	config.Contexts["c"] = &api.Context{Cluster: "c", AuthInfo: "c"}
	config.CurrentContext = "c"
	client, err := clientcmd.NewDefaultClientConfig(*config, &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return answer{Error: err.Error()}
	}
	return describe(client.Proxy(&http.Request{}))
}

func main() {
	os.Unsetenv("no_proxy")
	requests, answers := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	answers.SetEscapeHTML(false)
	for requests.More() {
		var request request
		if err := requests.Decode(&request); err != nil {
			log.Fatal(err)
		}
		answer := ofEnvironment
		if request.ProxyURL != "" {
			answer = ofKubeconfig
		}
		if err := answers.Encode(answer(request)); err != nil {
			log.Fatal(err)
		}
	}
}
