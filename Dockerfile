# syntax=docker/dockerfile:1

FROM --platform=$BUILDPLATFORM golang:1.26.8-trixie AS build
WORKDIR /src
COPY . .
ARG VERSION=dev
ARG TARGETOS
ARG TARGETARCH
# No `go mod download`: go.mod also names the generator, which is far larger than the product.
RUN --mount=type=cache,target=/go/pkg/mod \
    --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /roompulse ./cmd/roompulse

# CA certificates, time zones, an unprivileged user, and nothing to log in to.
FROM gcr.io/distroless/static-debian13:nonroot
COPY --from=build /roompulse /usr/local/bin/roompulse
ENTRYPOINT ["/usr/local/bin/roompulse"]
