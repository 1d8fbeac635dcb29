grep -v '^#' /etc/chrony/chrony.conf; cat /etc/default/chrony /etc/systemd/system/chrony.service.d/*
stat -c '%n %a %U:%G' /etc/chrony/chrony.conf /etc/chrony/chrony.keys
systemctl is-active chrony; systemctl is-enabled chrony
chronyc -n -c sources | cut -d, -f1,3
