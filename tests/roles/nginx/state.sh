cat /etc/nginx/nginx.conf /etc/nginx/conf.d/*.conf
find /etc/nginx/sites-available /etc/nginx/sites-enabled /srv/www -printf '%p %y %m %u:%g %l\n' 2>&1 | LC_ALL=C sort
cat /etc/nginx/sites-available/*.conf
systemctl is-active nginx; systemctl is-enabled nginx
for host in example.org old.example.org api.example.org; do curl -s 127.0.0.1 -H "Host: $host" 2>/dev/null || python3 -c "
import http.client; c = http.client.HTTPConnection('127.0.0.1', 8080); c.request('GET', '/', headers={'Host': '$host'}); r = c.getresponse(); print(r.status, r.getheader('Location'), r.getheader('X-Frame-Options'), len(r.read()))"; done
