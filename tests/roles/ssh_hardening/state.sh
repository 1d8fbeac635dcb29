cat /etc/ssh/sshd_config /etc/ssh/ssh_config.d/50-hardening.conf; ls /etc/ssh; awk '{ print $5 }' /etc/ssh/moduli | sort | uniq -c
stat -c '%n %a %U:%G' /etc/ssh/sshd_config /etc/ssh/ssh_host_*; getent group remote sftponly; id root
systemctl is-active ssh; systemctl is-enabled ssh; sshd -T | grep -E '^(port|permitroot|passwordauth|ciphers|allowgroups)'
