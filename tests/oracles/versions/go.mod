module oracles/versions

go 1.21

require (
	carvel.dev/vendir v0.40.0
	github.com/carvel-dev/semver/v4 v4.0.1-0.20230221220520-8090ce423695
)

require github.com/gogo/protobuf v1.3.2 // indirect
