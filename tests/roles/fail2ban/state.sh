cat /etc/fail2ban/fail2ban.local /etc/fail2ban/jail.local /etc/fail2ban/filter.d/shop*; ls /etc/fail2ban/jail.d
stat -c '%n %a %U:%G' /etc/fail2ban/*.local /var/log/auth.log /var/log/shop.log
systemctl is-active fail2ban; systemctl is-enabled fail2ban; fail2ban-client status | cat
