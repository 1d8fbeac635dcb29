cat /etc/motd /etc/issue /etc/issue.net; stat -c '%n %a' /etc/motd /etc/issue* /etc/update-motd.d/*
sed s/h[0-9]/host/ /etc/update-motd.d/50-*; grep -nE 'Banner|PrintMotd' /etc/ssh/sshd_config; systemctl is-active ssh
