//go:build tools

// Package tools names the command that is built and the types that it reads, so that `go mod tidy` keeps both.
package tools

import (
	_ "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	_ "sigs.k8s.io/controller-tools/cmd/controller-gen"
)
