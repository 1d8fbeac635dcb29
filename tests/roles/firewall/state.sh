cat /etc/nftables.conf /etc/nftables.d/*; stat -c '%n %a' /etc/nftables.conf /etc/nftables.d /etc/nftables.d/*
systemctl is-active nftables; systemctl is-enabled nftables; nft list ruleset
