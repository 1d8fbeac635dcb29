cat /etc/haproxy/haproxy.cfg; cat -v /etc/haproxy/pages/*; cat /etc/default/haproxy
stat -c '%n %a %U:%G' /etc/haproxy /etc/haproxy/haproxy.cfg /etc/haproxy/pages /run/haproxy/admin.sock; ls /etc/haproxy | sed 's/cfg\..*~/cfg.COPY~/'
systemctl is-active haproxy; systemctl is-enabled haproxy
python3 -c "
import http.client
for port in 8081, 8082:
    c = http.client.HTTPConnection('127.0.0.1', port); c.request('GET', '/'); r = c.getresponse(); print(port, r.status)"
