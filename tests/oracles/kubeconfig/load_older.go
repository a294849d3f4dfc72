//go:build older

package main

import "k8s.io/client-go/tools/clientcmd"

var load = clientcmd.RESTConfigFromKubeConfig
