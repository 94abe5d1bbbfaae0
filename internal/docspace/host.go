package docspace

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// ParseHost turns what a person may give as their portal's address into the
// one spelling that identifies it, such as https://acme.onlyoffice.com: lower
// case, without path or default port. A host without a scheme means https.
// Plain http would send the key in clear; it is refused unless the host is
// this machine or allowHTTP is set.
func ParseHost(host string, allowHTTP bool) (baseURL string, err error) {
	host = strings.TrimSpace(host)
	if host == "" {
		return "", errors.New("no portal host; set DOCSPACE_API_HOST to the portal's address, such as acme.onlyoffice.com")
	}
	if !strings.Contains(host, "://") {
		host = "https://" + host
	}
	u, err := url.Parse(host)
	if err != nil {
		return "", errors.New("the portal host is no address; give something like acme.onlyoffice.com") // the parser's error repeats what may hold a password
	}
	if u.User != nil {
		return "", errors.New("the portal host holds a user name or password; roompulse signs in with an API key only, leave the part before @ out")
	}
	name := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if name == "" || strings.ContainsAny(name, " %/\\") {
		return "", fmt.Errorf("portal host %q names no host; give something like acme.onlyoffice.com", u.Host)
	}
	var defaultPort string
	switch u.Scheme {
	case "https":
		defaultPort = "443"
	case "http":
		defaultPort = "80"
		if !allowHTTP && !isLoopback(name) {
			return "", fmt.Errorf("portal host http://%s would send the API key in clear; use https://, or set ROOMPULSE_ALLOW_HTTP=1 if the network is yours alone", u.Host)
		}
	default:
		return "", fmt.Errorf("portal host has the scheme %q; only https:// is supported", u.Scheme)
	}
	port := u.Port()
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return "", fmt.Errorf("portal host %q has no valid port", u.Host)
		}
		port = strconv.FormatUint(n, 10)
	}
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	if port != "" && port != defaultPort {
		name += ":" + port
	}
	return u.Scheme + "://" + name, nil
}

func isLoopback(name string) bool {
	if name == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.IsLoopback()
}
