find /etc/prometheus /var/lib/prometheus -printf '%p %y %m %u:%g\n' | sort; for file in $(find /etc/prometheus -type f | sort); do echo "-- $file"; cat $file; done
cat /etc/systemd/system/prometheus.service; systemctl is-active prometheus; systemctl is-enabled prometheus
