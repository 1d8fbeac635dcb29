cat /etc/apt/apt.conf.d/20auto-upgrades /etc/apt/apt.conf.d/50unattended-upgrades /etc/systemd/system/apt-daily-upgrade.timer.d/*
dpkg-query -W -f '${Package} ${Status}\n' unattended-upgrades cron-apt 2>/dev/null; apt-mark showhold
debconf-show unattended-upgrades; systemctl is-active apt-daily.timer apt-daily-upgrade.timer; systemctl show -p TimersCalendar apt-daily-upgrade.timer | sed 's/next_elapse=.*//'
