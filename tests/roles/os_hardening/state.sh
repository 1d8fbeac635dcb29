cat /etc/sysctl.d/90-hardening.conf /etc/modprobe.d/*.conf /etc/security/limits.d/* /etc/systemd/coredump.conf.d/* /etc/securetty /etc/profile.d/90-umask.sh
grep -v '^#' /etc/security/limits.conf; grep -v '^#' /etc/pam.d/su | tr -s ' ' | grep .; grep -E 'UMASK|PASS_M|LOGIN_[RT]' /etc/login.defs | grep -v '^#'
stat -c '%n %a %U:%G' /etc/shadow /etc/gshadow /etc/passwd /etc/group /etc/crontab /etc/cron.daily /etc/modprobe.d/hardening.conf /etc/securetty /root/.bash_umask
find /usr/bin /usr/sbin /usr/lib -perm /4000 -o -perm /2000 -type f | sort; getent group wheel; cut -d: -f1,7 /etc/passwd | grep -E 'root|sync|daemon|postgres|systemd'
sysctl net.ipv4.conf.all.accept_redirects net.ipv4.conf.all.send_redirects net.ipv4.conf.all.rp_filter net.ipv4.tcp_syncookies
