stat -c '%n %s %a %U:%G' /swapfile; blkid -p -o value -s TYPE /swapfile; cat /etc/fstab /etc/sysctl.d/60-swap.conf
