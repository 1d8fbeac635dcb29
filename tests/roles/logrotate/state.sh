cat /etc/logrotate.conf; for file in shop audit; do cat /etc/logrotate.d/$file; done; ls /etc/logrotate.d /etc/cron.hourly; cat /etc/systemd/system/logrotate.timer.d/hour.conf
systemctl is-active logrotate.timer; systemctl show -p TimersCalendar logrotate.timer | sed 's/next_elapse=.*//'; stat -c '%n %a %U:%G' /var/log/shop
