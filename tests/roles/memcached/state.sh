grep -vE '^ *#|^$' /etc/memcached.conf; cat /etc/logrotate.d/memcached; stat -c '%n %a %U:%G %s' /var/log/memcached.log /etc/memcached.conf
systemctl is-active memcached; systemctl is-enabled memcached
