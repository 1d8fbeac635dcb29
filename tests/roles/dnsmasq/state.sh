cat /etc/dnsmasq.d/site.conf /etc/dnsmasq.hosts; grep -v '^#' /etc/default/dnsmasq; systemctl is-active dnsmasq; systemctl is-enabled dnsmasq
