//go:build !older

package main

import "github.com/fluxcd/pkg/runtime/client"

var load = client.KubeConfigFromBytes
