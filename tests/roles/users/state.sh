getent passwd ada grace linus mallory; getent group staff ops deploy ada grace linus mallory
grep -E '^(ada|grace|linus|mallory):' /etc/shadow | cut -d: -f1,2
for home in /home/ada /home/grace /home/linus /home/mallory; do find $home -printf '%p %y %m %u:%g\n' 2>&1 | LC_ALL=C sort; done
cat /home/*/.ssh/authorized_keys /etc/sudoers.d/10-people; ls /etc/sudoers.d; cat /etc/skel/.bashrc | tail -6; grep -n HOME_MODE /etc/login.defs; grep -n includedir /etc/sudoers
su ada -c 'sudo -n id -u' 2>/dev/null; su grace -c 'sudo -n id -u' 2>/dev/null
