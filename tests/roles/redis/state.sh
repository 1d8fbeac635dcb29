cat /etc/redis/redis.conf /etc/systemd/system/redis-server.service.d/* /etc/sysctl.d/40-redis.conf
stat -c '%n %a %U:%G' /etc/redis/redis.conf; systemctl is-active redis-server; systemctl is-enabled redis-server
sysctl net.core.somaxconn; systemctl show -p LimitNOFILE redis-server
printf 'AUTH s3cret\r\nSET a 1\r\nGET a\r\nFLUSHALL\r\nQUIT\r\n' | timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/6379; cat >&3; cat <&3'
