//go:build tools

// Package tools keeps the requirements of this module: `go mod tidy` drops what nothing imports.
package tools

import _ "github.com/rhysd/actionlint/cmd/actionlint"
