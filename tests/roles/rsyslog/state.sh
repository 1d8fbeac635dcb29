cat /etc/rsyslog.conf /etc/rsyslog.d/*.conf; stat -c '%n %a %U:%G' /var/spool/rsyslog /var/log/remote /var/log/local3.log; sed 's/.*stead-test/stead-test/' /var/log/local3.log | sort -u
systemctl is-active rsyslog; systemctl is-enabled rsyslog
