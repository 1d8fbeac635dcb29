sed 's/h[0-9]\.example/host.example/' /etc/postfix/main.cf /etc/mailname; cat /etc/aliases /etc/postfix/generic /etc/postfix/sasl_passwd
stat -c '%n %a %U:%G' /etc/postfix/sasl_passwd* /etc/postfix/generic* /etc/aliases*; postmap -q root@example.org hash:/etc/postfix/generic; postalias -q root hash:/etc/aliases
systemctl is-active postfix; systemctl is-enabled postfix
