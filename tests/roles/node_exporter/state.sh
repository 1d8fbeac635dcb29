cat /etc/default/node_exporter /etc/systemd/system/node_exporter.service; getent passwd node-exp; id node-exp | sed 's/[0-9]\+//g'
find /usr/local/lib/node_exporter /usr/local/bin /var/lib/node_exporter -printf '%p %y %m %u:%g %l\n' | sort; systemctl is-active node_exporter; systemctl is-enabled node_exporter
python3 -c "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:9100/metrics').read())"
